import { expect, test } from 'vitest'
import { rowsAt } from './fixture.ts'
import { joinSpans, type RowSpan } from './rows.ts'

test('spans of one schema version become one set of rows, in their order', () => {
	const first = span(rowsAt([1, 10], [1, 200], [2, 0]), 1, 3)
	const second = span(rowsAt([3, 5], [4, 6]), 0, 1)
	const [joined, ...others] = joinSpans([first, second])
	expect(others).toEqual([])
	expect([...(joined?.position ?? [])]).toEqual([1n, 2n, 3n])
	expect([...(joined?.ordinal ?? [])]).toEqual([200, 0, 5])
	expect(textsOf(joined)).toEqual(['200', '0', '5'])
	expect(joined?.leaf).toEqual([null, null, null])
})

test('another schema version stays apart, and a whole frame is not copied', () => {
	const rows = rowsAt([1, 0])
	const joined = joinSpans([span(rows, 0, 1), { ...span(rowsAt([2, 0]), 0, 1), schema: 'other' }])
	expect(joined[0]).toBe(rows)
	expect(joined.map(({ count }) => count)).toEqual([1, 1])
})

function span(rows: RowSpan['rows'], from: number, to: number): RowSpan {
	return { rows, from, to, schema: 'one', bytes: 1 }
}

function textsOf(rows: RowSpan['rows'] | undefined): string[] {
	const column = rows?.columns[0]
	return Array.from({ length: rows?.count ?? 0 }, (_, row) =>
		Buffer.from(column?.bytes.subarray(column.offsets[row], column.offsets[row + 1]) ?? []).toString(),
	)
}
