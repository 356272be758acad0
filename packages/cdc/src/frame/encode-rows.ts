import type { ChangeRows, TextColumn } from '@reprieve/contracts'
import type { RowsFrame } from './frame.ts'
import { formatLine, type RowsDescription } from './shape.ts'

/** The payload of a rows frame: its description and its buffers, to be written one behind the other. */
export function encodeRows({ rows, isComplete }: RowsFrame): Uint8Array[] {
	const runs = encodeRuns(rows)
	const leaves = encodeLeaves(rows)
	const rewritten = encodeRewritten(rows)
	const columns = rows.columns.map((column) => encodeColumn(column, rows.count))
	const description: RowsDescription = {
		isComplete,
		rows: rows.count,
		runs: runs.count,
		rewritten: rewritten.length,
		leaves: leaves.names,
		columns: columns.map((column) => column.description),
		table: rows.table,
	}
	return [
		formatLine(description),
		...runs.buffers,
		bytesOf(rows.ordinal.subarray(0, rows.count)),
		...leaves.buffers,
		rows.op.subarray(0, rows.count),
		rewritten,
		...columns.flatMap((column) => column.buffers),
	]
}

/** Position, time and xid are the same for all rows of a transaction. */
function encodeRuns(rows: ChangeRows): { count: number; buffers: Uint8Array[] } {
	const position = wordsOf(rows.position)
	const committedAt = wordsOf(rows.committedAt)
	const starts: number[] = []
	for (let row = 0; row < rows.count; row++) {
		const isSame =
			row > 0 && rows.xid[row] === rows.xid[row - 1] && isSameLong(position, row) && isSameLong(committedAt, row)
		if (!isSame) starts.push(row)
	}
	const lengths = Uint32Array.from(starts, (start, run) => (starts[run + 1] ?? rows.count) - start)
	const xid = Uint32Array.from(starts, (start) => rows.xid[start] as number)
	const buffers = [longsAt(position, starts), longsAt(committedAt, starts), lengths, xid]
	return { count: starts.length, buffers: buffers.map(bytesOf) }
}

/** 64-bit numbers as halves: reading them as bigints would allocate one each. */
function wordsOf(longs: BigUint64Array | BigInt64Array): Uint32Array {
	return new Uint32Array(longs.buffer, longs.byteOffset, longs.length * 2)
}

function isSameLong(words: Uint32Array, row: number): boolean {
	return words[2 * row] === words[2 * row - 2] && words[2 * row + 1] === words[2 * row - 1]
}

function longsAt(words: Uint32Array, rows: number[]): Uint32Array {
	const picked = new Uint32Array(rows.length * 2)
	for (const [at, row] of rows.entries()) {
		picked[2 * at] = words[2 * row] as number
		picked[2 * at + 1] = words[2 * row + 1] as number
	}
	return picked
}

function encodeLeaves({ leaf, count }: ChangeRows): { names: (string | null)[]; buffers: Uint8Array[] } {
	const numbers = new Map<string | null, number>()
	const rows = new Uint32Array(count)
	for (let row = 0; row < count; row++) {
		const name = leaf[row] ?? null
		if (row > 0 && name === leaf[row - 1]) {
			rows[row] = rows[row - 1] as number
			continue
		}
		const number = numbers.get(name) ?? numbers.size
		numbers.set(name, number)
		rows[row] = number
	}
	const names = [...numbers.keys()]
	return { names, buffers: names.length > 1 ? [bytesOf(rows)] : [] }
}

function encodeRewritten({ rewritten, count }: ChangeRows): Uint8Array {
	const some: [number, Record<string, string | null>][] = []
	for (let row = 0; row < count; row++) {
		const values = rewritten[row]
		if (values) some.push([row, values])
	}
	return some.length === 0 ? new Uint8Array(0) : formatLine(some)
}

function encodeColumn(column: TextColumn, count: number) {
	const lengths = encodeLengths(column.offsets, count)
	const present = column.present.subarray(0, count)
	const hasNulls = present.includes(0)
	const values = column.bytes.subarray(column.offsets[0] ?? 0, column.offsets[count] ?? 0)
	return {
		description: { width: lengths.BYTES_PER_ELEMENT as 1 | 2 | 4, hasNulls, bytes: values.length },
		buffers: [bytesOf(lengths), ...(hasNulls ? [present] : []), values],
	}
}

/** In the fewest bytes that the longest value allows. */
function encodeLengths(offsets: Uint32Array, count: number): Uint8Array | Uint16Array | Uint32Array {
	const lengths = new Uint32Array(count)
	let bits = 0
	for (let row = 0, from = offsets[0] as number; row < count; row++) {
		const to = offsets[row + 1] as number
		lengths[row] = to - from
		bits |= to - from
		from = to
	}
	if (bits >>> 0 <= 0xff) return new Uint8Array(lengths)
	return bits >>> 0 <= 0xffff ? new Uint16Array(lengths) : lengths
}

function bytesOf(array: Uint8Array | Uint16Array | Uint32Array): Uint8Array {
	return new Uint8Array(array.buffer, array.byteOffset, array.byteLength)
}
