import { placeOf } from '@reprieve/cdc'
import type { ChangeRows } from '@reprieve/contracts'

/** Rows [from, to): views into `rows`. */
export function sliceRows(rows: ChangeRows, from: number, to: number): ChangeRows {
	const { op, position, ordinal, xid, committedAt, leaf, rewritten } = rows
	return {
		table: rows.table,
		count: to - from,
		columns: rows.columns.map(({ bytes, offsets, present }) => ({
			bytes,
			offsets: offsets.subarray(from, to + 1),
			present: present.subarray(from, to),
		})),
		op: op.subarray(from, to),
		position: position.subarray(from, to),
		ordinal: ordinal.subarray(from, to),
		xid: xid.subarray(from, to),
		committedAt: committedAt.subarray(from, to),
		leaf: leaf.slice(from, to),
		rewritten: rewritten.slice(from, to),
	}
}

/** No rows of the same kind, which hold on to the memory of none. */
export function withoutRows({ table, columns }: ChangeRows): ChangeRows {
	return {
		...{ table, count: 0, leaf: [], rewritten: [] },
		columns: columns.map(() => ({ bytes: new Uint8Array(0), offsets: new Uint32Array(1), present: new Uint8Array(0) })),
		...{ op: new Uint8Array(0), position: new BigUint64Array(0), committedAt: new BigInt64Array(0) },
		...{ ordinal: new Uint32Array(0), xid: new Uint32Array(0) },
	}
}

/** Rows of several schema versions, each in order, as runs that follow each other in the order of their places. */
export function inOrder(versions: readonly ChangeRows[]): ChangeRows[] {
	const lanes = versions.filter((rows) => rows.count > 0).map((rows) => ({ rows, at: 0 }))
	const runs: ChangeRows[] = []
	for (;;) {
		const open = lanes.filter((lane) => lane.at < lane.rows.count).sort(byNext)
		const [first, second] = open
		if (!first) return runs
		const from = first.at
		first.at = second ? endBefore(first, second) : first.rows.count
		runs.push(from === 0 && first.at === first.rows.count ? first.rows : sliceRows(first.rows, from, first.at))
	}
}

type Lane = { rows: ChangeRows; at: number }

function byNext(a: Lane, b: Lane): number {
	return compare(a.rows, a.at, b)
}

function endBefore(lane: Lane, next: Lane): number {
	let end = lane.at + 1
	while (end < lane.rows.count && compare(lane.rows, end, next) < 0) end++
	return end
}

function compare(rows: ChangeRows, row: number, { rows: other, at }: Lane): number {
	const [own, there] = [placeOf(rows, row), placeOf(other, at)]
	if (own.position !== there.position) return own.position < there.position ? -1 : 1
	return own.ordinal - there.ordinal
}
