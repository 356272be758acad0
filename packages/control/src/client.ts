import { drizzle } from 'drizzle-orm/postgres-js'
import postgres from 'postgres'
import * as schema from './schema/index.ts'

export type ControlDatabase = ReturnType<typeof drizzle<typeof schema>>
export type ControlTransaction = Parameters<Parameters<ControlDatabase['transaction']>[0]>[0]

/** A pool on the control schema alone: drizzle changes its client's parsers, so user tables never go through it. */
export type Control = {
	db: ControlDatabase
	sql: postgres.Sql
	close(): Promise<void>
}

/** What a session on the control schema fixes itself: time-outs, modes and forms that role or database set are the application's. */
export const controlSettings = {
	search_path: 'pg_catalog',
	TimeZone: 'UTC',
	DateStyle: 'ISO',
	IntervalStyle: 'postgres',
	extra_float_digits: '3',
	bytea_output: 'hex',
	array_nulls: 'on',
	standard_conforming_strings: 'on',
	transform_null_equals: 'off',
	default_transaction_isolation: 'read committed',
	default_transaction_read_only: 'off',
	default_transaction_deferrable: 'off',
	synchronous_commit: 'on',
	statement_timeout: '0',
	lock_timeout: '0',
	idle_in_transaction_session_timeout: '0',
	idle_session_timeout: '0',
} as const

/** What a session on the control schema runs first: PostgreSQL 17 has a time-out that older servers do not know. */
export const controlSetup = `select pg_catalog.set_config('transaction_timeout', '0', false)
	where pg_catalog.current_setting('server_version_num')::int4 >= 170000`

export type ControlOptions = {
	/** Keeps an eye on each connection: postgres.js waits for an answer for ever. */
	watch: (connection: postgres.Connected) => void
	/** Connections. Default 8. */
	max?: number
	applicationName?: string
}

/** Opens the control schema's pool. */
export function openControl(url: string, options: ControlOptions): Control {
	const sql = postgres(url, {
		max: options.max ?? 8,
		onnotice: () => {},
		setup: controlSetup,
		connection: { ...controlSettings, application_name: options.applicationName ?? 'reprieve control' } as object,
		onconnected: options.watch,
	})
	return { db: drizzle(sql, { schema }), sql, close: () => sql.end({ timeout: 5 }) }
}
