import type { PostgresVersion } from '../../support/postgres.ts'

/** Settings of a database and a role that change what text means, how long things may take, and what names mean. */
const hostile: Record<string, string> = {
	datestyle: 'SQL, DMY',
	intervalstyle: 'sql_standard',
	timezone: 'America/New_York',
	extra_float_digits: '-15',
	bytea_output: 'escape',
	lc_monetary: 'C.utf8',
	search_path: 'shadow, pg_catalog',
	array_nulls: 'off',
	xmloption: 'document',
	row_security: 'on',
	default_transaction_isolation: 'serializable',
	default_transaction_read_only: 'on',
	default_transaction_deferrable: 'on',
	statement_timeout: '20s',
	lock_timeout: '10s',
	idle_session_timeout: '1s',
	idle_in_transaction_session_timeout: '10s',
	synchronous_commit: 'off',
	quote_all_identifiers: 'on',
	transform_null_equals: 'on',
	standard_conforming_strings: 'off',
	escape_string_warning: 'on',
	backslash_quote: 'off',
	client_encoding: 'LATIN1',
	enable_indexscan: 'off',
	enable_hashjoin: 'off',
	default_toast_compression: 'pglz',
}

/** Functions and tables that stand before PostgreSQL's own where a session does not pin its search path. */
const shadows = [
	'create schema shadow',
	`create function shadow.now() returns timestamptz language sql as $$select '1999-01-01'::timestamptz$$`,
	`create function shadow.format(text, text) returns text language sql as $$select 'shadow'$$`,
	`create function shadow.jsonb_build_object(text, text) returns jsonb language sql as $$select '{}'::jsonb$$`,
	`create function shadow.lower(text) returns text language sql as $$select 'shadow'$$`,
	'create table shadow.pg_class (oid oid)',
	'create table shadow.runs (id int)',
]

/** Statements that set the database, and this role in it, to everything that is not usual. */
export function hostileSettings(database: string, version: PostgresVersion): string[] {
	const settings = { ...hostile, ...(version >= 17 && { transaction_timeout: '20s' }) }
	const statements = Object.entries(settings).flatMap(([name, value]) => {
		const to = `set ${name} to ${name === 'search_path' ? value : `'${value}'`}`
		return [`alter database "${database}" ${to}`, `alter role current_user in database "${database}" ${to}`]
	})
	return [...shadows, ...statements]
}
