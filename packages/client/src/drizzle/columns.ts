import type { AnyPgColumn, PgTable } from 'drizzle-orm/pg-core'

/** A column of exactly that table; another table's column does not compile. */
export type ColumnOf<T extends PgTable> = AnyPgColumn<{ tableName: T['_']['name'] }>

/** A column of that table that holds a day or a moment. */
export type TimeColumnOf<T extends PgTable> = ColumnOf<T> & { _: { columnType: TimeColumnType } }

type TimeColumnType = 'PgTimestamp' | 'PgTimestampString' | 'PgDate' | 'PgDateString'

/** The JavaScript value of a column, where a predicate can carry it. */
export type ValueOf<C extends AnyPgColumn> = C['_']['data'] & (string | number | bigint | boolean | Date)

/** Wire form of a value: what JSON lacks goes as PostgreSQL text. */
export function toScalar(value: string | number | bigint | boolean | Date): string | number | boolean {
	if (value instanceof Date) return value.toISOString()
	return typeof value === 'bigint' ? value.toString() : value
}
