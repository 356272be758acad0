import type { ChangeRows, SourceColumn, SourceTable, TextColumn } from '@reprieve/contracts'

/** A source column of a test table; `type` is one of the names below. */
export function column(attnum: number, name: string, type: keyof typeof typeOids, typmod = -1): SourceColumn {
	return {
		attnum,
		name,
		typeOid: typeOids[type],
		typmod,
		typeName: type,
		typeKind: 'b',
		notNull: false,
		generated: '',
		identity: '',
	}
}

const typeOids = {
	boolean: 16,
	bytea: 17,
	bigint: 20,
	smallint: 21,
	integer: 23,
	text: 25,
	json: 114,
	real: 700,
	'double precision': 701,
	character: 1042,
	'character varying': 1043,
	date: 1082,
	'timestamp without time zone': 1114,
	'timestamp with time zone': 1184,
	numeric: 1700,
	'integer[]': 1007,
	uuid: 2950,
} as const

/** Type modifier of numeric(precision, scale). */
export function numericTypmod(precision: number, scale: number): number {
	return ((precision << 16) | (scale & 0x7ff)) + 4
}

/** A source table for tests. */
export function sourceTable(columns: SourceColumn[], more: Partial<SourceTable> = {}): SourceTable {
	return { oid: 16_400, schema: 'public', name: 'customer', kind: 'r', columns, key: ['id'], foreignKeys: [], ...more }
}

/** A change of a test: its cells in column order. */
export type Change = {
	cells: (string | null)[]
	position: bigint
	ordinal?: number
	op?: number
	leaf?: string
	rewritten?: Record<string, string | null>
	committedAt?: bigint
}

/** Changes as columns. */
export function changeRows(table: SourceTable, changes: Change[]): ChangeRows {
	return {
		table,
		count: changes.length,
		columns: table.columns.map((_, at) => textColumn(changes.map(({ cells }) => cells[at] ?? null))),
		op: Uint8Array.from(changes, ({ op }) => op ?? 0),
		position: BigUint64Array.from(changes, ({ position }) => position),
		ordinal: Uint32Array.from(changes, ({ ordinal }, at) => ordinal ?? at),
		xid: Uint32Array.from(changes, () => 4_000_000_000),
		committedAt: BigInt64Array.from(changes, ({ committedAt, position }) => committedAt ?? position * 1000n),
		leaf: changes.map(({ leaf }) => leaf ?? null),
		rewritten: changes.map(({ rewritten }) => rewritten ?? null),
	}
}

function textColumn(cells: (string | null)[]): TextColumn {
	const parts = cells.map((cell) => Buffer.from(cell ?? ''))
	const offsets = new Uint32Array(cells.length + 1)
	parts.forEach((part, at) => {
		offsets[at + 1] = (offsets[at] as number) + part.length
	})
	return { bytes: Buffer.concat(parts), offsets, present: Uint8Array.from(cells, (cell) => (cell === null ? 0 : 1)) }
}

/** The cells of changes, row by row. */
function cellsOf(rows: ChangeRows): (string | null)[][] {
	return Array.from({ length: rows.count }, (_, row) =>
		rows.columns.map(({ bytes, offsets, present }) =>
			present[row] === 1 ? Buffer.from(bytes.subarray(offsets[row], offsets[row + 1])).toString() : null,
		),
	)
}

/** Every chunk of a read. */
export async function readAll(reading: AsyncIterable<ChangeRows>): Promise<ChangeRows[]> {
	return await Array.fromAsync(reading)
}

/** The cells of every row of a read. */
export async function readCells(reading: AsyncIterable<ChangeRows>): Promise<(string | null)[][]> {
	return (await readAll(reading)).flatMap(cellsOf)
}
