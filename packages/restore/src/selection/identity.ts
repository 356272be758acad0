import {
	formatPosition,
	formatTableName,
	type Position,
	parsePosition,
	parseTableName,
	ReprieveError,
	type TableName,
} from '@reprieve/contracts'

/** What names one archived change for ever: its place in the log, and its table. */
export type ChangeIdentity = { position: Position; ordinal: number; table: TableName }

/** The opaque id that surfaces show. */
export function formatChangeId(change: ChangeIdentity): string {
	return `${formatPosition(change.position)}-${change.ordinal}-${nameOf(change.table)}`
}

/** SQL of {@link formatChangeId}, from expressions and the table. */
export function changeIdSql(at: { timeline: string; position: string; ordinal: string }, table: TableName): string {
	return `(${at.timeline} || '-' || lpad(to_hex(${at.position}), 16, '0') || '-' || ${at.ordinal} || '-${nameOf(table)}')`
}

function nameOf(table: TableName): string {
	return Buffer.from(formatTableName(table)).toString('base64url')
}

/** Inverse of {@link formatChangeId}. Throws INVALID on anything else. */
export function parseChangeId(id: string): ChangeIdentity {
	const match = /^(\d+-[0-9a-f]{16})-(\d{1,10})-([A-Za-z0-9_-]+)$/.exec(id)
	if (!match) throw new ReprieveError('INVALID', `"${id}" is not the id of a change`)
	const [, position = '', ordinal = '', table = ''] = match
	return {
		position: parsePosition(position),
		ordinal: Number(ordinal),
		table: parseTableName(Buffer.from(table, 'base64url').toString()),
	}
}

/** Position of a transaction's opaque id. Throws INVALID on anything else. */
export function parseTransactionId(id: string): Position {
	try {
		return parsePosition(id)
	} catch {
		throw new ReprieveError('INVALID', `"${id}" is not the id of a transaction`)
	}
}
