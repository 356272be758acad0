import type { ChangeRows, TextColumn } from '@reprieve/contracts'

/** Rows [from, to) of a frame. */
export type RowSpan = {
	rows: ChangeRows
	from: number
	to: number
	/** Names the schema version: rows of equal ones go into one segment. */
	schema: string
	/** Memory that they hold, roughly. */
	bytes: number
}

/** The rows of spans as one {@link ChangeRows} for each schema version, in their order. */
export function joinSpans(spans: readonly RowSpan[]): ChangeRows[] {
	const bySchema = Map.groupBy(spans, (span) => span.schema)
	return [...bySchema.values()].map(joinAlike)
}

function joinAlike(spans: RowSpan[]): ChangeRows {
	const [first] = spans as [RowSpan]
	if (spans.length === 1 && first.from === 0 && first.to === first.rows.count) return first.rows
	const count = spans.reduce((sum, { from, to }) => sum + to - from, 0)
	const joined: ChangeRows = {
		table: first.rows.table,
		count,
		columns: first.rows.columns.map((_, column) => joinColumn(spans, column, count)),
		op: new Uint8Array(count),
		position: new BigUint64Array(count),
		ordinal: new Uint32Array(count),
		xid: new Uint32Array(count),
		committedAt: new BigInt64Array(count),
		leaf: spans.flatMap(({ rows, from, to }) => rows.leaf.slice(from, to)),
		rewritten: spans.flatMap(({ rows, from, to }) => rows.rewritten.slice(from, to)),
	}
	let at = 0
	for (const { rows, from, to } of spans) {
		joined.op.set(rows.op.subarray(from, to), at)
		joined.position.set(rows.position.subarray(from, to), at)
		joined.ordinal.set(rows.ordinal.subarray(from, to), at)
		joined.xid.set(rows.xid.subarray(from, to), at)
		joined.committedAt.set(rows.committedAt.subarray(from, to), at)
		at += to - from
	}
	return joined
}

function joinColumn(spans: readonly RowSpan[], place: number, count: number): TextColumn {
	const parts = spans.map(({ rows, from, to }) => {
		const { bytes, offsets, present } = rows.columns[place] as TextColumn
		return { bytes: bytes.subarray(offsets[from], offsets[to]), offsets, present, from, to }
	})
	const bytes = new Uint8Array(parts.reduce((sum, part) => sum + part.bytes.length, 0))
	const offsets = new Uint32Array(count + 1)
	const present = new Uint8Array(count)
	let row = 0
	let end = 0
	for (const part of parts) {
		bytes.set(part.bytes, end)
		present.set(part.present.subarray(part.from, part.to), row)
		const shift = end - (part.offsets[part.from] as number)
		for (let at = part.from + 1; at <= part.to; at++) offsets[++row] = (part.offsets[at] as number) + shift
		end += part.bytes.length
	}
	return { bytes, offsets, present }
}
