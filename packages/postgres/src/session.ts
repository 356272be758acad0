import postgres from 'postgres'
import { watchConnections } from './watch.ts'

/**
 * Settings that every session on user tables fixes itself, whatever the role's or the database's own are
 * (exactness.md section 3): with them text input and output are exact inverses for every built-in type.
 */
export const pinnedSettings = {
	search_path: 'pg_catalog',
	row_security: 'off',
	TimeZone: 'UTC',
	DateStyle: 'ISO',
	IntervalStyle: 'postgres',
	extra_float_digits: '3',
	bytea_output: 'hex',
	lc_monetary: 'C',
	synchronous_commit: 'on',
	array_nulls: 'on',
	standard_conforming_strings: 'on',
	transform_null_equals: 'off',
	xmloption: 'content',
	client_encoding: 'UTF8',
	default_transaction_isolation: 'read committed',
	default_transaction_read_only: 'off',
	default_transaction_deferrable: 'off',
	idle_in_transaction_session_timeout: '0',
	idle_session_timeout: '0',
	check_function_bodies: 'off',
} as const

/** What a session runs first: PostgreSQL 17 has a time-out that no older server would take at the start of a session. */
export const sessionSetup = `select pg_catalog.set_config('transaction_timeout', '0', false)
	where pg_catalog.current_setting('server_version_num')::int4 >= 170000`

export type Sql = postgres.Sql
export type Transaction = postgres.TransactionSql
export type Session = postgres.Sql | postgres.TransactionSql | postgres.ReservedSql

export type SessionOptions = {
	applicationName: string
	/** Connections of the pool. Default 4. */
	max?: number
	/** Milliseconds; 0 for none. Default 0. */
	statementTimeoutMs?: number
	/** Milliseconds; 0 for none. Default 0. */
	lockTimeoutMs?: number
}

/**
 * Opens a pool whose sessions have {@link pinnedSettings}. postgres.js turns small integers, booleans and json into
 * JavaScript values and leaves everything else text; timestamps and dates stay text too. Arrays are bound by
 * `arrayLiteral` and a cast. A half-open connection is ended ({@link watchConnections}).
 */
export function openSessions(url: string, options: SessionOptions): Sql {
	const settings: Record<string, string> = {
		...pinnedSettings,
		statement_timeout: String(options.statementTimeoutMs ?? 0),
		lock_timeout: String(options.lockTimeoutMs ?? 0),
		application_name: options.applicationName,
	}
	return postgres(url, {
		max: options.max ?? 4,
		onnotice: () => {},
		fetch_types: false,
		setup: sessionSetup,
		types: { date: textInstead },
		connection: settings as object,
		onconnected: watchConnections(url),
	}) as unknown as Sql
}

const textInstead = {
	to: 1184,
	from: [1082, 1114, 1184],
	serialize: (value: string) => value,
	parse: (text: string) => text,
}
