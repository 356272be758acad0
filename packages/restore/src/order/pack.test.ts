import { expect, test } from 'vitest'
import { type Load, packLoads } from './pack.ts'

const load = (table: number, rows: number, mode: Load['mode'] = 'none'): Load => ({ tables: [table], rows, mode })
const packed = (loads: Load[], batchRows: number) =>
	packLoads(loads, batchRows).map((pack) => pack.flatMap(({ tables }) => tables))

test('neighbours share a batch until it is full, in order', () => {
	expect(packed([load(1, 4), load(2, 6), load(3, 1), load(4, 20), load(5, 1)], 10)).toEqual([[1, 2], [3], [4], [5]])
})

test('tables whose triggers are kept from firing in another way are written apart', () => {
	const loads = [load(1, 1), load(2, 1, 'replica'), load(3, 1, 'replica'), load(4, 1, 'disable')]
	expect(packed(loads, 10)).toEqual([[1], [2, 3], [4]])
})

test('a batch has at most 40 tables, however few their rows', () => {
	const loads = Array.from({ length: 90 }, (_, table) => load(table, 0))
	expect(packLoads(loads, 10).map((pack) => pack.length)).toEqual([40, 40, 10])
})
