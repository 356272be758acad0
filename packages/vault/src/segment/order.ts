import { comparisonOf } from '../values/bounds.ts'
import { headsOf } from '../values/heads.ts'
import { isBitSet, type NativeValues } from '../values/native.ts'

/** The rows of columns, by the first of them, then by the next; NULL last. There is at least one column and one row. */
export function orderRows(columns: readonly [NativeValues, ...NativeValues[]], rows: number): Uint32Array {
	const compare = comparisonOfAll(columns)
	const [first] = columns
	const heads = headsOf(first, { from: 0, to: rows, isFull: false }).slice()
	for (let row = 0; row < rows; row++) if (!isBitSet(first.nullBitmap, row)) heads[row] = Number.POSITIVE_INFINITY
	return mergeRuns(heads, compare)
}

/** Order of two rows by columns. */
function comparisonOfAll(columns: readonly NativeValues[]): (a: number, b: number) => number {
	const compares = columns.map(withNulls)
	return (a, b) => {
		let order = 0
		for (let at = 0; at < compares.length && order === 0; at++)
			order = (compares[at] as (typeof compares)[number])(a, b)
		return order
	}
}

function withNulls(data: NativeValues): (a: number, b: number) => number {
	const { nullBitmap } = data
	const compare = comparisonOf(data)
	return (a, b) => {
		const hasA = isBitSet(nullBitmap, a)
		const hasB = isBitSet(nullBitmap, b)
		if (hasA && hasB) return compare(a, b)
		return hasA === hasB ? 0 : hasA ? -1 : 1
	}
}

/** Rows in some order, each with its head. */
type Rows = { row: Uint32Array; head: Float64Array }

/** Sorts by merging neighbours that lie in order already, so that inputs in order cost next to nothing. */
function mergeRuns(head: Float64Array, compare: (a: number, b: number) => number): Uint32Array {
	const count = head.length
	let [source, target]: [Rows, Rows] = [
		{ row: new Uint32Array(count).map((_, at) => at), head },
		{ row: new Uint32Array(count), head: new Float64Array(count) },
	]
	let starts = runsOf(source, compare)
	while (starts.length > 2) {
		const merged = [0]
		for (let run = 0; run + 1 < starts.length; run += 2) {
			const end = starts[Math.min(run + 2, starts.length - 1)] as number
			mergeTwo(source, target, { from: starts[run] as number, middle: starts[run + 1] as number, end }, compare)
			merged.push(end)
		}
		starts = merged
		;[source, target] = [target, source]
	}
	return source.row
}

/** Where each run of rows in order begins, and where the last one ends. */
function runsOf({ row, head }: Rows, compare: (a: number, b: number) => number): number[] {
	const starts = [0]
	for (let at = 1; at < row.length; at++) {
		const before = head[at - 1] as number
		const own = head[at] as number
		if (before > own || (before === own && compare(row[at - 1] as number, row[at] as number) > 0)) starts.push(at)
	}
	starts.push(row.length)
	return starts
}

function mergeTwo(
	source: Rows,
	target: Rows,
	{ from, middle, end }: { from: number; middle: number; end: number },
	compare: (a: number, b: number) => number,
): void {
	const { row, head } = source
	let left = from
	let right = middle
	for (let at = from; at < end; at++) {
		let isLeft = right >= end
		if (!isLeft && left < middle) {
			const a = head[left] as number
			const b = head[right] as number
			isLeft = a < b || (a === b && compare(row[left] as number, row[right] as number) <= 0)
		}
		const next = isLeft ? left++ : right++
		target.row[at] = row[next] as number
		target.head[at] = head[next] as number
	}
}
