import type { Where } from '@reprieve/contracts'
import type { AnyPgColumn, PgTable } from 'drizzle-orm/pg-core'
import { type ColumnOf, toScalar, type ValueOf } from './columns.ts'

/** A predicate that only columns of one table may stand in. */
export type TableWhere<T extends PgTable> = { where: Where; of: T['_']['name'] }

type Comparison = 'eq' | 'ne' | 'lt' | 'lte' | 'gt' | 'gte'
type TableOf<C extends AnyPgColumn> = C['_']['tableName']
type Predicate<C extends AnyPgColumn> = { where: Where; of: TableOf<C> }

/** `column op value`, with SQL's rules for NULL. */
export function compare<C extends AnyPgColumn>(column: C, op: Comparison, value: ValueOf<C>): Predicate<C> {
	return of(column, { column: column.name, op, value: toScalar(value) })
}

/** The column is one of the values. */
export function isIn<C extends AnyPgColumn>(column: C, values: ValueOf<C>[]): Predicate<C> {
	return of(column, { column: column.name, op: 'in', value: values.map(toScalar) })
}

/** SQL's LIKE, or ILIKE when letter case does not count. */
export function like<C extends AnyPgColumn<{ data: string }>>(
	column: C,
	pattern: string,
	options: { ignoreCase?: boolean } = {},
): Predicate<C> {
	return of(column, { column: column.name, op: options.ignoreCase ? 'ilike' : 'like', value: pattern })
}

/** The column is NULL. */
export function isNull<C extends AnyPgColumn>(column: C): Predicate<C> {
	return of(column, { column: column.name, op: 'isNull' })
}

/** The column is not NULL. */
export function isNotNull<C extends AnyPgColumn>(column: C): Predicate<C> {
	return of(column, { column: column.name, op: 'isNotNull' })
}

/** Every predicate holds; with none, every row matches. */
export function and<N extends string>(...parts: { where: Where; of: N }[]): { where: Where; of: N } {
	return { where: { and: parts.map((part) => part.where) }, of: parts[0]?.of as N }
}

/** At least one predicate holds; with none, no row matches. */
export function or<N extends string>(...parts: { where: Where; of: N }[]): { where: Where; of: N } {
	return { where: { or: parts.map((part) => part.where) }, of: parts[0]?.of as N }
}

/** The predicate is false (not: unknown). */
export function not<N extends string>(part: { where: Where; of: N }): { where: Where; of: N } {
	return { where: { not: part.where }, of: part.of }
}

/** Names of a table's columns, in order. */
export function columnNames<T extends PgTable>(columns: ColumnOf<T>[]): string[] {
	return columns.map((column) => column.name)
}

function of<C extends AnyPgColumn>(_column: C, where: Where): Predicate<C> {
	return { where, of: _column._?.tableName }
}
