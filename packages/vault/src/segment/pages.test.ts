import type { SourceTable } from '@reprieve/contracts'
import { parquetWriteBuffer } from 'hyparquet-writer'
import { expect, test } from 'vitest'
import type { DeltaType } from '../values/codec.ts'
import { cellAt } from '../values/native.ts'
import { codecOf } from '../values/types.ts'
import { cellsOf } from './cells.ts'
import { encodeChunk, pathOf } from './chunk.ts'
import { encodeColumn, joinColumns } from './encode.ts'
import { type Plain, readNumbers } from './pages.ts'
import { openParquet, type ParquetFile } from './parquet.ts'
import { putPlain } from './plain.ts'
import { rowGroupsOf } from './read.ts'
import { Room } from './room.ts'
import { Scratch } from './scratch.ts'
import { takerOf } from './take.ts'

type Cells = (string | null)[]

const every = <T>(of: (row: number) => T) => Array.from({ length: 20 }, (_, row) => of(row))

/** By what is odd about them. */
const shapes: Record<string, (texts: (row: number) => string) => Cells> = {
	'all have a value': (texts) => every(texts),
	'some are NULL': (texts) => every((row) => (row % 3 === 0 ? null : texts(row))),
	'all share one value': (texts) => every(() => texts(7)),
	'those that are not NULL share one value': (texts) => every((row) => (row % 3 === 0 ? null : texts(7))),
	'the first group is NULL': (texts) => every((row) => (row < 8 ? null : texts(row))),
	'all are NULL': () => every(() => null),
}

const types: Partial<Record<DeltaType, (row: number) => string>> = {
	string: (row) => ['', 'ä', 'x'.repeat(60 + row), `text ${row}`][row % 4] as string,
	binary: (row) => `\\x${'ab'.repeat(row)}`,
	integer: (row) => String(row * -7),
	long: (row) => String(2n ** 60n + BigInt(row)),
	double: (row) => `${row}.5`,
	boolean: (row) => (row % 2 === 0 ? 't' : 'f'),
	'decimal(9,2)': (row) => `${row % 2 === 0 ? '' : '-'}${row}.25`,
	'decimal(12,2)': (row) => `${row % 2 === 0 ? '' : '-'}${row}.25`,
	'decimal(20,2)': (row) => `${row % 2 === 0 ? '' : '-'}${row}.25`,
	'decimal(38,2)': (row) => `${row % 2 === 0 ? '' : '-'}${row}.25`,
}

const cases = Object.keys(types).flatMap((type) =>
	Object.keys(shapes).map((shape) => [type as DeltaType, shape] as const),
)

test.each(cases)('%s reads back where %s', async (type, shape) => {
	const cells = shapes[shape]?.(types[type] as (row: number) => string) as Cells
	const { encode, decode } = codecOf(type)
	const column = encodeColumn({ name: 'x', encoded: encode(cellsOf(cells), 0, cells.length) }, cells.length, {
		rows: 8,
	})
	const file = openParquet(joinColumns([column], cells.length, { rows: 8 }))
	expect(file.groups).toHaveLength(3)
	for (const group of file.groups) {
		const expected = cells.slice(group.start, group.end)
		const values = await file.read('x', group)
		const texts = expected.map((_, row) => {
			const cell = values[row]
			return cell === undefined || cell === null ? null : Buffer.from(decode(cell)).toString()
		})
		expect(texts).toEqual(expected)
		expect(taken(file, { type, group })).toEqual(expected)
	}
})

/** Texts of a group, by its bytes. */
function taken(file: ParquetFile, { type, group }: { type: DeltaType; group: ParquetFile['groups'][number] }): Cells {
	const [rows, pages] = [group.end - group.start, new Scratch()]
	const taker = takerOf(type, rows, { pages, room: new Room() })
	taker.take(
		file.plain('x', group, pages) as Plain,
		Uint32Array.from({ length: rows }, (_, row) => row),
	)
	const { data, nullCount } = taker.finish()
	const cells = Array.from({ length: rows }, (_, row) => cellAt(data, row))
	expect(nullCount).toBe(cells.filter((cell) => cell === undefined).length)
	return cells.map((cell) => (cell === undefined ? null : Buffer.from(codecOf(type).decode(cell)).toString()))
}

test.each(Object.keys(types) as DeltaType[])('%s: a page with other than the values of its rows is refused', (type) => {
	const cells = every(types[type] as (row: number) => string)
	const { data } = codecOf(type).encode(cellsOf(cells), 0, cells.length)
	const pages = new Scratch()
	putPlain(pages, data, { from: 0, to: cells.length, isFull: true })
	const takes = (rows: number, plain: Partial<Plain> = {}) => {
		const places = Uint32Array.from({ length: rows }, (_, row) => row)
		takerOf(type, rows, { pages, room: new Room() }).take(
			{ from: 0, to: pages.used, isShared: false, ...plain },
			places,
		)
	}
	expect(() => takes(20)).not.toThrow()
	expect(() => takes(8)).toThrow(RangeError)
	expect(() => takes(20, { to: pages.used - 1 })).toThrow(RangeError)
	if (type !== 'boolean') expect(() => takes(20, { isShared: true })).toThrow(RangeError)
})

test('a page of numbers with other values than its levels say is refused', () => {
	const chunkOf = (count: number) => {
		const data = {
			type: 'long',
			nullBitmap: Uint8Array.of(0xff),
			values: BigInt64Array.from([1n, 2n, 3n, 4n]),
		} as const
		const { pages } = encodeChunk(pathOf('x'), data, { from: 0, to: count, extremes: undefined })
		return Buffer.concat(pages)
	}
	expect(readNumbers(chunkOf(3), 3, 'INT64')).toEqual(BigInt64Array.of(1n, 2n, 3n))
	expect(() => readNumbers(chunkOf(3), 3, 'INT32')).toThrow('a page has 6 values, its levels say 3')
})

test('a column takes the room of another one of any type and size', () => {
	const room = new Room()
	const texts = (type: DeltaType, count: number) => {
		const cells = every(types[type] as (row: number) => string).slice(0, count)
		const pages = new Scratch()
		putPlain(pages, codecOf(type).encode(cellsOf(cells), 0, count).data, { from: 0, to: count, isFull: true })
		room.reset()
		const taker = takerOf(type, count, { pages, room })
		taker.take({ from: 0, to: pages.used, isShared: false }, Uint32Array.from(cells.keys()))
		const { data } = taker.finish()
		expect(cells.map((_, row) => Buffer.from(codecOf(type).decode(cellAt(data, row))).toString())).toEqual(cells)
	}
	for (const before of Object.keys(types) as DeltaType[])
		for (const after of Object.keys(types) as DeltaType[])
			for (const count of [1, 9, 20]) {
				texts(before, 20)
				texts(after, count)
			}
	const small = new Room()
	small.take(5)
	small.reset()
	expect(new BigInt64Array(small.take(1))).toEqual(BigInt64Array.of(0n, 0n))
})

test('what another writer wrote is read all the same', async () => {
	const data = [null, 'a', 'b', 'a'].map((text) => text && Buffer.from(text))
	const columnData = [{ name: 'x', type: 'BYTE_ARRAY' as const, data }]
	const file = openParquet(new Uint8Array(parquetWriteBuffer({ columnData })))
	expect(file.groups).toHaveLength(1)
	expect(file.plain('x', file.groups[0] as (typeof file.groups)[number], new Scratch())).toBeUndefined()
	expect((await file.readAll('x')).map((cell) => cell && Buffer.from(cell as Uint8Array).toString())).toEqual([
		null,
		'a',
		'b',
		'a',
	])
})

test('what another writer wrote, and a column that a file does not have, are taken all the same', async () => {
	const data = [null, 'a', 'b', 'a'].map((text) => text && Buffer.from(text))
	const columnData = [{ name: 'x', type: 'BYTE_ARRAY' as const, data }]
	const file = openParquet(new Uint8Array(parquetWriteBuffer({ columnData })))
	const [group] = rowGroupsOf(file, { columns: [], key: [] as string[] } as unknown as SourceTable, [])
	const texts = async (name: string) => {
		const pages = new Scratch()
		const taker = takerOf('string', 4, { pages, room: new Room() })
		taker.take((await group?.plain({ name, type: 'string' }, pages)) as Plain, Uint32Array.of(3, 1, 0, 2))
		const { data } = taker.finish()
		return [0, 1, 2, 3].map((row) => String(cellAt(data, row)))
	}
	expect(await texts('x')).toEqual(['b', 'a', 'a', 'undefined'])
	expect(await texts('y')).toEqual(Array.from({ length: 4 }, () => 'undefined'))
})
