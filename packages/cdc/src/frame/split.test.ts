import { expect, test } from 'vitest'
import { cellsOf, columnOf, meaningOf, rowsFrame, rowsOf } from './fixture.ts'
import { placeRows } from './placement.ts'
import { gatherRows, splitRows } from './split.ts'

const ids = Array.from({ length: 40 }, (_, at) => (at === 7 ? null : `${at}`))
const notes = ids.map((_, at) => (at % 3 === 0 ? null : 'n'.repeat(at * 3)))

test('gathers every field of the rows asked for, in the order asked for', () => {
	const rows = rowsOf([ids, notes])
	const columns = [columnOf(ids, 9, 4), columnOf(notes, 1, 2)]
	const whole = meaningOf({ ...rowsFrame([]), rows })
	const part = meaningOf({ ...rowsFrame([]), rows: gatherRows({ ...rows, columns }, [30, 2, 7]) })
	const pick = <T>(all: T[]) => [all[30], all[2], all[7]]
	expect(part).toEqual({
		...whole,
		count: 3,
		columns: whole.columns.map(pick),
		numbers: whole.numbers.map(pick),
		leaf: pick(whole.leaf),
		rewritten: pick(whole.rewritten),
	})
})

test('splits rows by their places, each partition in order and none twice', () => {
	const rows = rowsOf([ids, notes])
	const places = [...placeRows(rows, 3)]
	const split = splitRows(rows, 3)
	expect(split.map(({ partition }) => partition)).toEqual([0, 1, 2])
	for (const { partition, rows: part } of split)
		expect(cellsOf(part.columns[0] as never, part.count)).toEqual(ids.filter((_, at) => places[at] === partition))
})

test('does not copy what goes to one partition', () => {
	const rows = rowsOf([ids])
	expect(splitRows(rows, 1)).toEqual([{ partition: 0, rows }])
	expect(splitRows(rows, 1)[0]?.rows).toBe(rows)
	expect(splitRows(rowsOf([[]]), 4)).toEqual([])
})
