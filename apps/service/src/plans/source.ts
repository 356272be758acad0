import {
	formatTableName,
	parseTableName,
	quoteIdentifier,
	quoteTable,
	ReprieveError,
	type SourceColumn,
	type SourceTable,
	type TableName,
} from '@reprieve/contracts'
import { bareTypeName, describeTable, findTable, isBuiltInType, type Session } from '@reprieve/postgres'

/** Schemas whose tables no policy may name. */
const ownSchemas = new Set(['reprieve', 'pg_catalog', 'information_schema', 'pg_toast'])

const kinds: Record<string, string> = {
	v: 'a view',
	m: 'a materialized view',
	f: 'a foreign table',
	S: 'a sequence',
	i: 'an index',
	c: 'a composite type',
}

/** A table that a policy names, with the partition root that stands for it in plans. */
export type PolicyTable = {
	/** The table as named: what is scanned. */
	scanned: SourceTable
	/** The partition root, or the table itself. */
	root: SourceTable
}

/** Finds the table that a policy names. Throws NOT_FOUND, or INVALID for what holds no rows of its own or has no key. */
export async function findPolicyTable(sql: Session, text: string): Promise<PolicyTable> {
	const scanned = await requireTable(sql, parseTableName(text))
	const rootOid = await rootOf(sql, scanned.oid)
	const root = rootOid === scanned.oid ? scanned : await describeTable(sql, rootOid)
	if (!root) throw missing(text)
	if (root.key.length === 0) {
		throw new ReprieveError('INVALID', `${formatTableName(root)} has neither primary key nor not-null unique index`, {
			hint: 'Add a primary key: without one no row can be named.',
		})
	}
	return { scanned, root }
}

/** Describes a table of ordinary kind by name. Throws NOT_FOUND or INVALID. */
export async function requireTable(sql: Session, name: TableName): Promise<SourceTable> {
	const found = await findTable(sql, name)
	if (!found || ownSchemas.has(name.schema)) throw missing(formatTableName(name))
	const table = await describeTable(sql, found.oid)
	if (table) return table
	throw new ReprieveError('INVALID', `${formatTableName(name)} is ${kinds[found.kind] ?? 'no table'}`, {
		hint: 'Name an ordinary or partitioned table.',
	})
}

function missing(text: string): ReprieveError {
	return new ReprieveError('NOT_FOUND', `there is no table ${text}`, {
		hint: 'Names are case-sensitive; write schema.table outside public.',
	})
}

async function rootOf(sql: Session, oid: number): Promise<number> {
	const [row] = await sql<{ oid: number }[]>`
		select coalesce(pg_partition_root(${oid}::int8::oid)::oid, ${oid}::int8::oid)::int8::float8 as oid`
	return Number(row?.oid ?? oid)
}

/** A key column as plans carry it. */
export type KeyColumn = {
	column: string
	typeName: string
	/** The type of the rows tables' column: reprieve's own tables never use somebody's type. */
	storedType: string
	/** Whether `=` of the pinned search path is not this type's own, so that records are compared instead. */
	byRecord: boolean
}

/** Key columns of a table, in key order. */
export function keyColumns(table: SourceTable): KeyColumn[] {
	return table.key.map((name) => {
		const column = table.columns.find((each) => each.name === name) as SourceColumn
		const typeName = bareTypeName(column)
		const isBuiltIn = isBuiltInType(column.typeOid)
		const byRecord = !isBuiltIn && column.typeKind === 'b' && !typeName.endsWith('[]')
		return { column: name, typeName, storedType: isBuiltIn ? typeName : 'text', byRecord }
	})
}

/** Whether the row `alias` is the one that `prefix`1..n of `stored` names; stored values are cast to the key's types. */
export function isSameRow(key: KeyColumn[], alias: string, stored: string, prefix = 'k'): string {
	return key
		.map(({ column, typeName, byRecord }, index) => {
			const left = `${alias}.${quoteIdentifier(column)}`
			const right = `${stored}.${prefix}${index + 1}::${typeName}`
			return byRecord ? `row(${left})::record = row(${right})::record` : `${left} = ${right}`
		})
		.join(' and ')
}

/** `alias."column"` of each key column. */
export function keyOf(table: { key: readonly string[] }, alias: string): string[] {
	return table.key.map((column) => `${alias}.${quoteIdentifier(column)}`)
}

/** `k1, k2 ...` with a prefix: the key's columns in a rows table. */
export function numbered(count: number, prefix: string): string[] {
	return Array.from({ length: count }, (_, index) => `${prefix}${index + 1}`)
}

/** `alias` over the rows that a table itself holds: its leaves when partitioned, else without inheritance children. */
export function scanOwn(table: TableName & { kind: 'r' | 'p' }, alias: string): string {
	return `${table.kind === 'p' ? '' : 'only '}${quoteTable(table)} ${alias}`
}
