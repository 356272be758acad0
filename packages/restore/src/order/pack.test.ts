import { expect, test } from 'vitest'
import type { Edge } from './components.ts'
import { type Load, packLoads } from './pack.ts'

const load = (table: number, rows: number, mode: Load['mode'] = 'none'): Load => ({ tables: [table], rows, mode })
const packed = (loads: Load[], batchRows: number, references: Edge[] = []) =>
	packLoads(loads, references, batchRows).map((pack) => pack.flatMap(({ tables }) => tables))

test('tables share a batch until it is full, in order', () => {
	expect(packed([load(1, 4), load(2, 6), load(3, 1), load(4, 20), load(5, 1)], 10)).toEqual([[1, 2], [3, 5], [4]])
})

test('tables whose triggers are kept from firing in another way are written apart', () => {
	const loads = [load(1, 1), load(2, 1, 'replica'), load(3, 1, 'replica'), load(4, 1, 'disable')]
	expect(packed(loads, 10)).toEqual([[1], [2, 3], [4]])
})

test('a batch has at most 40 tables, however few their rows', () => {
	const loads = Array.from({ length: 90 }, (_, table) => load(table, 0))
	expect(packLoads(loads, [], 10).map((pack) => pack.length)).toEqual([40, 40, 10])
})

test('a table joins an earlier batch unless what it references comes later', () => {
	const loads = [load(1, 1), load(2, 1, 'replica'), load(3, 1), load(4, 1), load(5, 1, 'replica'), load(6, 1)]
	const references = [
		{ child: 3, parent: 1 },
		{ child: 4, parent: 2 },
		{ child: 6, parent: 4 },
		{ child: 6, parent: 6 },
	]
	expect(packed(loads, 10, references)).toEqual([
		[1, 3],
		[2, 5],
		[4, 6],
	])
})
