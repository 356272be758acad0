import { expect, test } from 'vitest'
import { nextBatchRows } from './size.ts'

test('a fast batch makes the next one larger, twice at most', () => {
	expect(nextBatchRows({ rows: 2000, milliseconds: 400, aimed: 2000, tables: 1 }, 500, 100_000)).toBe(2500)
	expect(nextBatchRows({ rows: 2000, milliseconds: 1, aimed: 2000, tables: 1 }, 500, 100_000)).toBe(4000)
})

test('a slow batch makes the next one smaller, by half at most', () => {
	expect(nextBatchRows({ rows: 2000, milliseconds: 625, aimed: 2000, tables: 1 }, 500, 100_000)).toBe(1600)
	expect(nextBatchRows({ rows: 2000, milliseconds: 60_000, aimed: 2000, tables: 1 }, 500, 100_000)).toBe(1000)
})

test('a batch stays between 100 rows and the limit', () => {
	expect(nextBatchRows({ rows: 120, milliseconds: 60_000, aimed: 120, tables: 1 }, 500, 100_000)).toBe(100)
	expect(nextBatchRows({ rows: 90_000, milliseconds: 10, aimed: 90_000, tables: 1 }, 500, 100_000)).toBe(100_000)
	expect(nextBatchRows({ rows: 5, milliseconds: 10, aimed: 5, tables: 1 }, 500, 5)).toBe(5)
})

test('a batch that was cut short changes nothing', () => {
	expect(nextBatchRows({ rows: 3, milliseconds: 2, aimed: 2000, tables: 1 }, 500, 100_000)).toBe(2000)
})

test('a batch over many tables, whose number takes its time, is not cut into ever smaller ones', () => {
	const now = { rows: 2000, milliseconds: 60_000, aimed: 2000 }
	expect(nextBatchRows({ ...now, tables: 400 }, 500, 100_000)).toBe(2000)
	expect(nextBatchRows({ ...now, tables: 150 }, 500, 100_000)).toBe(1500)
	expect(nextBatchRows({ ...now, tables: 99 }, 500, 100_000)).toBe(1000)
})
