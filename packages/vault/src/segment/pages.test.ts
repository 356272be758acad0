import { parquetWriteBuffer } from 'hyparquet-writer'
import { expect, test } from 'vitest'
import type { DeltaType } from '../values/codec.ts'
import { codecOf } from '../values/types.ts'
import { cellsOf } from './cells.ts'
import { encodeColumn, joinColumns } from './encode.ts'
import { openParquet } from './parquet.ts'

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
	'decimal(12,2)': (row) => `${row}.25`,
	'decimal(38,2)': (row) => `${row}.25`,
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
		if (type === 'string') expect(file.texts('x', group)).toEqual(cellsOf(expected))
	}
})

test('what another writer wrote is read all the same', async () => {
	const data = [null, 'a', 'b', 'a'].map((text) => text && Buffer.from(text))
	const columnData = [{ name: 'x', type: 'BYTE_ARRAY' as const, data }]
	const file = openParquet(new Uint8Array(parquetWriteBuffer({ columnData })))
	expect(file.groups).toHaveLength(1)
	expect(file.texts('x', { start: 0, end: 4 })).toBeUndefined()
	expect((await file.readAll('x')).map((cell) => cell && Buffer.from(cell as Uint8Array).toString())).toEqual([
		null,
		'a',
		'b',
		'a',
	])
})
