import { type ChangeRows, changeOps, type TextColumn } from '@reprieve/contracts'
import { Buffers } from './buffers.ts'
import { PoisonRecord } from './poison.ts'
import { parseShape, type RowsDescription, rewrittenShape, rowsShape } from './shape.ts'

/** The rows of a payload; the columns' values are views into it. Throws PoisonRecord. */
export function decodeRows(payload: Uint8Array): { rows: ChangeRows; isComplete: boolean } {
	const buffers = new Buffers(payload)
	const description = parseShape(rowsShape, buffers.line(), 'the description of the rows')
	checkDescription(description)
	const { rows: count, isComplete, table, leaves } = description
	const runs = takeRuns(buffers, description.runs)
	const ordinal = buffers.uint32(count)
	const leafNumbers = leaves.length > 1 ? buffers.uint32(count) : undefined
	const op = buffers.bytes(count)
	const rewritten = buffers.bytes(description.rewritten)
	const columns = description.columns.map((column) => takeColumn(buffers, column, count))
	buffers.close()
	checkBelow(op, changeOps.length, 'kind')
	return {
		isComplete,
		rows: {
			table,
			count,
			columns,
			op,
			...expandRuns(runs, count),
			ordinal,
			leaf: expandLeaves(leaves, leafNumbers, count),
			rewritten: expandRewritten(rewritten, count),
		},
	}
}

function checkDescription({ rows, columns, leaves, table }: RowsDescription): void {
	if (columns.length !== table.columns.length)
		throw new PoisonRecord('content', `the table has ${table.columns.length} columns, the frame ${columns.length}`)
	if (rows > 0 && leaves.length === 0) throw new PoisonRecord('content', `${rows} rows have 0 leaves`)
}

type Runs = { position: Uint32Array; committedAt: Uint32Array; lengths: Uint32Array; xid: Uint32Array }

function takeRuns(buffers: Buffers, count: number): Runs {
	return {
		position: buffers.uint32(count * 2),
		committedAt: buffers.uint32(count * 2),
		lengths: buffers.uint32(count),
		xid: buffers.uint32(count),
	}
}

/** Numbers of 64 bits go in halves: as bigints each would be allocated. */
function expandRuns(runs: Runs, count: number): Pick<ChangeRows, 'position' | 'committedAt' | 'xid'> {
	const rows = runs.lengths.reduce((sum, length) => sum + length, 0)
	if (rows !== count) throw new PoisonRecord('lengths', `the runs have ${rows} rows, the frame ${count}`)
	const position = new Uint32Array(count * 2)
	const committedAt = new Uint32Array(count * 2)
	const xid = new Uint32Array(count)
	for (let run = 0, row = 0; run < runs.lengths.length; run++) {
		const end = row + (runs.lengths[run] as number)
		for (; row < end; row++) {
			position[2 * row] = runs.position[2 * run] as number
			position[2 * row + 1] = runs.position[2 * run + 1] as number
			committedAt[2 * row] = runs.committedAt[2 * run] as number
			committedAt[2 * row + 1] = runs.committedAt[2 * run + 1] as number
			xid[row] = runs.xid[run] as number
		}
	}
	return { position: new BigUint64Array(position.buffer), committedAt: new BigInt64Array(committedAt.buffer), xid }
}

function expandLeaves(names: (string | null)[], numbers: Uint32Array | undefined, count: number): (string | null)[] {
	if (!numbers) return new Array(count).fill(names[0] ?? null)
	checkBelow(numbers, names.length, 'leaf')
	return Array.from(numbers, (number) => names[number] as string | null)
}

function expandRewritten(bytes: Uint8Array, count: number): ChangeRows['rewritten'] {
	const rewritten: ChangeRows['rewritten'] = new Array(count).fill(null)
	if (bytes.length === 0) return rewritten
	for (const [row, values] of parseShape(rewrittenShape, bytes, 'the list of rewritten values')) {
		if (row >= count || rewritten[row])
			throw new PoisonRecord('content', `row ${row} of ${count} is rewritten twice, or is none`)
		rewritten[row] = values
	}
	return rewritten
}

function takeColumn(buffers: Buffers, column: RowsDescription['columns'][number], count: number): TextColumn {
	const lengths = buffers.numbers(column.width, count)
	const present = column.hasNulls ? buffers.bytes(count) : new Uint8Array(count).fill(1)
	if (column.hasNulls) checkBelow(present, 2, 'flag')
	const offsets = new Uint32Array(count + 1)
	let end = 0
	for (let row = 0; row < count; row++) {
		end += lengths[row] as number
		offsets[row + 1] = end
	}
	if (end !== column.bytes)
		throw new PoisonRecord('lengths', `a column's values take ${end} bytes, the frame says ${column.bytes}`)
	return { bytes: buffers.bytes(column.bytes), offsets, present }
}

function checkBelow(numbers: Uint8Array | Uint32Array, limit: number, what: string): void {
	for (let at = 0; at < numbers.length; at++)
		if ((numbers[at] as number) >= limit)
			throw new PoisonRecord('content', `${what} ${numbers[at]} of row ${at} is not one of ${limit}`)
}
