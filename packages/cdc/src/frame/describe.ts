import { type ChangeOp, changeOps, type SourceTable } from '@reprieve/contracts'
import { type Cells, cellsOf, columnOf } from './fixture.ts'
import type { Frame, FrameHeader, RowsFrame } from './frame.ts'
import { formatLine, transactionsShape } from './shape.ts'

type Named = { id: string; maxRecordBytes: number }
type DescribedHeader = Omit<FrameHeader, 'predecessor'> & { predecessor: { position: string; ordinal: number } }
type DescribedRow = {
	op: ChangeOp
	position: string
	ordinal: number
	xid: number
	committedAt: string
	leaf: string | null
	rewritten: Record<string, string | null> | null
	values: (string | null)[]
}
type DescribedRows = {
	kind: 'rows'
	header: DescribedHeader
	isComplete: boolean
	table: SourceTable
	rows: DescribedRow[]
}
type DescribedTransactions = {
	kind: 'transactions'
	header: DescribedHeader
	received: string
	isFinal: boolean
	transactions: object[]
}

/** A golden frame as people write it: JSON with 64-bit numbers as text, row by row. */
export type Description = Named & (DescribedRows | DescribedTransactions)

export function frameOf(description: Description): Frame {
	const { position, ordinal } = description.header.predecessor
	const header = { ...description.header, predecessor: { position: BigInt(position), ordinal } }
	if (description.kind === 'rows') return { ...rowsOf(description), header }
	const { received, isFinal, transactions } = description
	return { kind: 'transactions', header, ...transactionsShape.parse({ received, isFinal, transactions }) }
}

export function describeFrame(frame: Frame): DescribedRows | DescribedTransactions {
	const described = frame.kind === 'rows' ? describeRows(frame) : frame
	return JSON.parse(formatLine(described).toString())
}

function rowsOf({ table, rows, isComplete }: DescribedRows): Omit<RowsFrame, 'header'> {
	const column = (at: number): Cells => rows.map((row) => row.values[at] ?? null)
	return {
		kind: 'rows',
		isComplete,
		rows: {
			table,
			count: rows.length,
			columns: table.columns.map((_, at) => columnOf(column(at))),
			op: Uint8Array.from(rows, (row) => changeOps.indexOf(row.op)),
			position: BigUint64Array.from(rows.map((row) => BigInt(row.position))),
			ordinal: Uint32Array.from(rows, (row) => row.ordinal),
			xid: Uint32Array.from(rows, (row) => row.xid),
			committedAt: BigInt64Array.from(rows.map((row) => BigInt(row.committedAt))),
			leaf: rows.map((row) => row.leaf),
			rewritten: rows.map((row) => row.rewritten),
		},
	}
}

function describeRows({ kind, header, isComplete, rows }: RowsFrame): object {
	const cells = rows.columns.map((column) =>
		cellsOf(column, rows.count).map((cell) => (cell === null ? null : Buffer.from(cell, 'latin1').toString())),
	)
	const describeRow = (_: unknown, row: number) => ({
		op: changeOps[rows.op[row] as number],
		position: rows.position[row],
		ordinal: rows.ordinal[row],
		xid: rows.xid[row],
		committedAt: rows.committedAt[row],
		leaf: rows.leaf[row],
		rewritten: rows.rewritten[row],
		values: cells.map((column) => column[row]),
	})
	return { kind, header, isComplete, table: rows.table, rows: Array.from({ length: rows.count }, describeRow) }
}
