import type { PgTable } from 'drizzle-orm/pg-core'
import type { CleanupInput } from '../contract.ts'
import type { ColumnOf, TimeColumnOf } from './columns.ts'
import type { Normalised } from './normalise.ts'
import { tableName } from './table.ts'
import { columnNames, type TableWhere } from './where.ts'

/** A policy of one kind: for `client.plans.create` and for the `client.cleanup` call of the same name. */
export type PolicyOf<K extends keyof CleanupInput> = Omit<CleanupInput[K], 'reason' | 'dryRun' | 'idempotencyKey'> & {
	kind: K
}

type Common<T extends PgTable> = { where?: TableWhere<T>; onRestrict?: 'skip' | 'refuse' | 'include' }
type Ordering<T extends PgTable> = { column: ColumnOf<T>; direction?: 'asc' | 'desc'; nulls?: 'first' | 'last' }

/** Which of a cluster stays; `newest` and `oldest` need the column that says so. */
export type Keep<T extends PgTable> =
	| { keep: 'newest' | 'oldest'; by: ColumnOf<T> }
	| { keep: 'mostComplete' | 'mostReferenced' | { orderBy: Ordering<T>[] }; by?: never }

/** Rows that repeat a key; one of each cluster is kept. */
export function duplicatesOf<T extends PgTable>(
	table: T,
	rule: { key: (ColumnOf<T> | Normalised<ColumnOf<T>>)[]; maxCluster?: number } & Keep<T> & Common<T>,
): PolicyOf<'duplicates'> {
	const { key, keep, by, maxCluster } = rule
	return {
		kind: 'duplicates',
		table: tableName(table),
		key: key.map((part) => ('normalise' in part ? { ...part, column: part.column.name } : part.name)),
		keep: typeof keep === 'string' ? keep : { orderBy: keep.orderBy.map((o) => ({ ...o, column: o.column.name })) },
		by: by?.name,
		maxCluster,
		...common(rule),
	}
}

/** Rows whose moment lies further back than an ISO 8601 duration (`P90D`) or before an instant. */
export function staleIn<T extends PgTable>(
	table: T,
	rule: { column: TimeColumnOf<T>; olderThan: string | Date } & Common<T>,
): PolicyOf<'stale'> {
	const { column, olderThan } = rule
	return {
		kind: 'stale',
		table: tableName(table),
		column: column.name,
		olderThan: typeof olderThan === 'string' ? olderThan : olderThan.toISOString(),
		...common(rule),
	}
}

/** Rows whose columns name a row of `references` that is not there. */
export function orphansIn<T extends PgTable, P extends PgTable>(
	table: T,
	rule: { columns: ColumnOf<T>[]; references: { table: P; columns: ColumnOf<P>[] } } & Common<T>,
): PolicyOf<'orphans'> {
	const { columns, references } = rule
	return {
		kind: 'orphans',
		table: tableName(table),
		columns: columnNames(columns),
		references: { table: tableName(references.table), columns: columnNames(references.columns) },
		...common(rule),
	}
}

/** Rows that lack values. */
export function incompleteIn<T extends PgTable>(
	table: T,
	rule: { missing: ColumnOf<T>[]; match?: 'all' | 'any'; blank?: boolean } & Common<T>,
): PolicyOf<'incomplete'> {
	const { missing, match, blank } = rule
	return { kind: 'incomplete', table: tableName(table), missing: columnNames(missing), match, blank, ...common(rule) }
}

/** Rows that a predicate matches. */
export function matchesIn<T extends PgTable>(
	table: T,
	rule: { where: TableWhere<T>; onRestrict?: 'skip' | 'refuse' | 'include' },
): PolicyOf<'match'> {
	return { kind: 'match', table: tableName(table), where: rule.where.where, onRestrict: rule.onRestrict }
}

function common<T extends PgTable>({ where, onRestrict }: Common<T>) {
	return { where: where?.where, onRestrict }
}
