import type { ChangeRows, TextColumn } from '@reprieve/contracts'
import { placeRows } from './placement.ts'

/** Rows of one partition. */
export type PlacedRows = { partition: number; rows: ChangeRows }

/** Rows by partition, lowest first, each in their order; partitions without rows are left out. One alone is not copied. */
export function splitRows(rows: ChangeRows, partitions: number): PlacedRows[] {
	const indexes: number[][] = []
	for (const [row, partition] of placeRows(rows, partitions).entries()) {
		const of = indexes[partition]
		if (of) of.push(row)
		else indexes[partition] = [row]
	}
	return indexes.flatMap((of, partition) => ({
		partition,
		rows: of.length === rows.count ? rows : gatherRows(rows, of),
	}))
}

/** Copies the rows of these numbers, in this order. */
export function gatherRows(rows: ChangeRows, indexes: ArrayLike<number>): ChangeRows {
	const at = Uint32Array.from(indexes)
	return {
		table: rows.table,
		count: at.length,
		columns: rows.columns.map((column) => gatherColumn(column, at)),
		op: gatherBytes(rows.op, at),
		position: gatherLongs(rows.position, at, new BigUint64Array(at.length)),
		ordinal: at.map((row) => rows.ordinal[row] as number),
		xid: at.map((row) => rows.xid[row] as number),
		committedAt: gatherLongs(rows.committedAt, at, new BigInt64Array(at.length)),
		leaf: Array.from(at, (row) => rows.leaf[row] ?? null),
		rewritten: Array.from(at, (row) => rows.rewritten[row] ?? null),
	}
}

function gatherColumn(column: TextColumn, rows: Uint32Array): TextColumn {
	const offsets = new Uint32Array(rows.length + 1)
	for (let at = 0; at < rows.length; at++) {
		const row = rows[at] as number
		offsets[at + 1] = (offsets[at] as number) + (column.offsets[row + 1] as number) - (column.offsets[row] as number)
	}
	const bytes = new Uint8Array(offsets[rows.length] as number)
	for (let at = 0; at < rows.length; at++) copyValue(column, rows[at] as number, bytes, offsets[at] as number)
	return { bytes, offsets, present: gatherBytes(column.present, rows) }
}

/** A call for a handful of bytes costs more than the bytes. */
function copyValue({ bytes, offsets }: TextColumn, row: number, into: Uint8Array, start: number): void {
	const from = offsets[row] as number
	const length = (offsets[row + 1] as number) - from
	if (length > 48) into.set(bytes.subarray(from, from + length), start)
	else for (let at = 0; at < length; at++) into[start + at] = bytes[from + at] as number
}

function gatherBytes(bytes: Uint8Array, rows: Uint32Array): Uint8Array {
	const gathered = new Uint8Array(rows.length)
	for (let at = 0; at < rows.length; at++) gathered[at] = bytes[rows[at] as number] as number
	return gathered
}

function gatherLongs<T extends BigUint64Array | BigInt64Array>(longs: T, rows: Uint32Array, into: T): T {
	for (let at = 0; at < rows.length; at++) into[at] = longs[rows[at] as number] as bigint
	return into
}
