import { parquetMetadata } from 'hyparquet'
import { expect, test } from 'vitest'
import type { DeltaType } from '../values/codec.ts'
import { codecOf } from '../values/types.ts'
import { cellsOf } from './cells.ts'
import { encodeColumn, encodeMaps, type Grouping, joinColumns, type SegmentColumn } from './encode.ts'
import { openParquet } from './parquet.ts'

function encodeSegment(columns: SegmentColumn[], rows: number, grouping?: Grouping): Uint8Array {
	const encoded = columns.map((column) => encodeColumn(column, rows, grouping))
	return joinColumns(encoded, rows, grouping)
}

const rows = 203

const columns: [DeltaType, (row: number) => string][] = [
	['boolean', (row) => (row % 3 === 0 ? 't' : 'f')],
	['short', (row) => String(row - 500)],
	['integer', (row) => String(row * -2_000_000)],
	['long', (row) => String(2n ** 62n + BigInt(row))],
	['float', (row) => `${row}.5`],
	['double', (row) => `-${row}.25`],
	['string', (row) => 'é'.repeat(row % 70)],
	['binary', (row) => `\\x${'0f'.repeat(row % 60)}`],
	['date', () => '2024-02-29'],
	['timestamp', () => '1999-12-31 23:59:59.5+00'],
	['decimal(9,2)', (row) => `-${row + 1}.05`],
	['decimal(18,0)', (row) => `12345678901234${row + 1000}`],
	['decimal(38,3)', (row) => `-12345678901234567890123456789${row}.125`],
]

/** Which rows have a value: none, all, or all but some in rows that no byte of a bitmap begins at. */
const kinds = { none: () => false, all: () => true, some: (row: number) => row % 7 !== 3 }

test.each(columns)('%s comes back from groups of any size, with NULLs anywhere', async (type, textOf) => {
	const { encode, decode } = codecOf(type)
	for (const [kind, has] of Object.entries(kinds)) {
		const texts = Array.from({ length: rows }, (_, row) => (has(row) ? textOf(row) : null))
		const encoded = encode(cellsOf(texts), 0, rows)
		expect(encoded.exact).toEqual([])
		for (const size of [1, 13, 64, 20_000]) {
			const cells = await openParquet(encodeSegment([{ name: 'x', encoded }], rows, { rows: size })).readAll('x')
			const back = cells.map((cell) => (cell === null || cell === undefined ? null : String(Buffer.from(decode(cell)))))
			expect(back, `${kind}, ${size} rows a group`).toEqual(texts)
		}
	}
})

test('maps come back: none, empty, and with values that are NULL', async () => {
	const maps: (Record<string, string | null> | null)[] = [
		null,
		{},
		{ a: '1' },
		{ a: null, b: 'é' },
		null,
		{ c: '' },
		{},
		{ a: '1', b: '2', c: null },
	]
	const mapOf = (row: number) => maps[row % maps.length] ?? null
	const encoded = encodeMaps(rows, mapOf)
	const expected = Array.from({ length: rows }, (_, row) => mapOf(row))
	for (const size of [1, 5, 20_000]) {
		const bytes = encodeSegment([{ name: 'm', encoded }], rows, { rows: size })
		const back = await openParquet(bytes, { isRaw: false }).readAll('m')
		expect(
			back.map((map) => map ?? null),
			`${size} rows a group`,
		).toEqual(expected)
	}
})

test('the groups of the columns asked for say what lies in them, and no others do', () => {
	const texts = Array.from({ length: 10 }, (_, row) => (row % 5 === 0 ? null : String(row)))
	const named = (['long', 'string'] as const).map((type) => ({
		name: type,
		encoded: codecOf(type).encode(cellsOf(texts), 0, 10),
	}))
	const statisticsOf = (bounded?: string[]) => {
		const { buffer } = Uint8Array.from(encodeSegment(named, 10, { rows: 5, ...(bounded && { bounded }) }))
		return parquetMetadata(buffer).row_groups.map((group) =>
			group.columns.map(({ meta_data }) => {
				const { min_value, max_value, null_count } = meta_data?.statistics ?? {}
				return meta_data?.statistics && [min_value, max_value, null_count]
			}),
		)
	}
	expect(statisticsOf()).toEqual([
		[[1n, 4n, 1n], undefined],
		[[6n, 9n, 1n], undefined],
	])
	expect(statisticsOf(['string'])).toEqual([
		[undefined, ['1', '4', 1n]],
		[undefined, ['6', '9', 1n]],
	])
})

test('a value that all rows share lies in the file once', () => {
	const sizeOf = (textOf: (row: number) => string) => {
		const texts = Array.from({ length: rows }, (_, row) => textOf(row))
		const encoded = codecOf('string').encode(cellsOf(texts), 0, rows)
		const { buffer } = Uint8Array.from(encodeSegment([{ name: 'x', encoded }], rows))
		return Number(parquetMetadata(buffer).row_groups[0]?.total_byte_size)
	}
	expect(sizeOf(() => 'the same')).toBeLessThan(100)
	expect(sizeOf((row) => (row === rows - 1 ? 'the samE' : 'the same'))).toBeGreaterThan(rows * 12)
})
