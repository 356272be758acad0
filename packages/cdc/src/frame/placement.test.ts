import { expect, test } from 'vitest'
import { type Cells, columnOf, rowsOf, tableOf } from './fixture.ts'
import { placeRows } from './placement.ts'

const keyed = (columns: Cells[], key: string[]) =>
	rowsOf(columns, {
		table: tableOf(
			columns.map((_, at) => `c${at}`),
			key,
		),
	})

test('keeps to the golden places, which a reader in another language computed', () => {
	const rows = keyed([['1', '2', '', null, '1000000007', 'é', 'x'.repeat(300)]], ['c0'])
	expect([...placeRows(rows, 12)]).toEqual([1, 5, 11, 11, 3, 3, 3])
	expect([...placeRows(rows, 65_535)]).toEqual([46_087, 61_355, 60_071, 45_203, 31_035, 21_057, 45_801])
})

test('tells NULL from an empty value, and where one column of the key ends from where the next begins', () => {
	const rows = keyed(
		[
			[null, '', 'a', 'ab', null, ''],
			['', null, 'bc', 'c', null, ''],
		],
		['c1', 'c0'],
	)
	expect(new Set(placeRows(rows, 65_535)).size).toBe(6)
})

test('depends on the columns of the key alone, in the order of the key', () => {
	const one = keyed(
		[
			['1', '1'],
			['2', '2'],
			['x', 'y'],
		],
		['c1', 'c0'],
	)
	const [first, second] = placeRows(one, 65_535)
	expect(first).toBe(second)
	expect([...placeRows(keyed([['2'], ['1']], ['c0', 'c1']), 65_535)]).toEqual([first])
	expect([...placeRows(keyed([['2'], ['1']], ['c1', 'c0']), 65_535)]).not.toEqual([first])
})

test('depends on all columns where there is no key', () => {
	const [first, second] = placeRows(
		keyed(
			[
				['1', '1'],
				['x', 'y'],
			],
			[],
		),
		65_535,
	)
	expect(first).not.toBe(second)
	expect([...placeRows(keyed([['1'], ['x']], ['c0', 'c1']), 65_535)]).toEqual([first])
})

test('is the same wherever the values lie', () => {
	const rows = keyed([['1', '22', null]], ['c0'])
	expect(placeRows({ ...rows, columns: [columnOf(['1', '22', null], 77, 3)] }, 1_000)).toEqual(placeRows(rows, 1_000))
})

test('fills partitions evenly with keys that only count up', () => {
	const rows = keyed([Array.from({ length: 30_000 }, (_, at) => `${at}`)], ['c0'])
	for (const partitions of [2, 3, 8, 12]) {
		const filled = new Uint32Array(partitions)
		for (const place of placeRows(rows, partitions)) (filled[place] as number)++
		const even = 30_000 / partitions
		expect(Math.min(...filled) / even).toBeGreaterThan(0.9)
		expect(Math.max(...filled) / even).toBeLessThan(1.1)
	}
})

test('one partition has everything, and a number that no topic has is refused', () => {
	const rows = keyed([['1', '2']], ['c0'])
	expect([...placeRows(rows, 1)]).toEqual([0, 0])
	for (const partitions of [0, -1, 1.5, 65_536, Number.NaN])
		expect(() => placeRows(rows, partitions)).toThrow(RangeError)
})
