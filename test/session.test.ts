import { openControl } from '@reprieve/control'
import { openSessions, type Session, watchConnections } from '@reprieve/postgres'
import { expect, test } from 'vitest'
import { freshDatabase } from './support/postgres.ts'
import { until } from './support/wait.ts'

/** Settings as the database has them, and as a session fixes them. */
const settings: [name: string, odd: string, own: string][] = [
	['search_path', 'public, pg_catalog', 'pg_catalog'],
	['row_security', 'on', 'off'],
	['TimeZone', 'Asia/Kolkata', 'UTC'],
	['DateStyle', 'German, DMY', 'ISO'],
	['IntervalStyle', 'iso_8601', 'postgres'],
	['extra_float_digits', '-15', '3'],
	['bytea_output', 'escape', 'hex'],
	['lc_monetary', 'POSIX', 'C'],
	['synchronous_commit', 'off', 'on'],
	['array_nulls', 'off', 'on'],
	['xmloption', 'document', 'content'],
	['client_encoding', 'LATIN1', 'UTF8'],
	['default_transaction_isolation', 'serializable', 'read committed'],
	['default_transaction_read_only', 'on', 'off'],
	['default_transaction_deferrable', 'on', 'off'],
	['idle_in_transaction_session_timeout', '7', '0'],
	['check_function_bodies', 'on', 'off'],
]

test('a session has its own settings, whatever those of role and database are', async () => {
	await using database = await freshDatabase()
	for (const [name, value] of settings) {
		const literal = name === 'search_path' ? value : `'${value}'`
		await database.sql.unsafe(`alter database ${database.name} set ${name} = ${literal}`)
	}
	await using session = disposable(openSessions(database.url, { applicationName: 'pinned', max: 1 }))
	for (const [name, , own] of settings) {
		const [row] = await session.sql`select current_setting(${name}) as value`
		expect(row?.value.startsWith(own), `${name} is ${row?.value}`).toBe(true)
	}
})

test('no session is held to the transaction_timeout of role and database', async () => {
	await using database = await freshDatabase()
	const { sql, name, url } = database
	await sql.unsafe(`alter database ${name} set transaction_timeout = '7s'`)
	await sql.unsafe(`alter role current_user in database ${name} set transaction_timeout = '8s'`)
	const shown = async (session: Session) =>
		await session`select current_setting('transaction_timeout') as value`.then(([row]) => row?.value)
	await using session = disposable(openSessions(url, { applicationName: 'pinned', max: 2 }))
	expect(await session.sql.begin(shown)).toBe('0')
	const reserved = await session.sql.reserve()
	expect(await shown(reserved)).toBe('0')
	reserved.release()
	const control = openControl(url, { watch: watchConnections(url) })
	expect(await shown(control.sql)).toBe('0')
	await control.close()
})

test('a transaction that lost its connection says nothing on the one that comes after', async () => {
	await using database = await freshDatabase()
	const { sql: admin } = database
	await admin`create table public.t (id int)`
	await using session = disposable(openSessions(database.url, { applicationName: 'lost', max: 1 }))
	const { sql } = session
	const { promise: other, resolve: goOn } = Promise.withResolvers<void>()
	const statements: Promise<unknown>[] = []
	const lost = sql.begin(async (tx) => {
		await tx`insert into public.t values (1)`
		await admin`select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'lost'`
		await other
		statements.push(...[2, 3].map((id) => tx`insert into public.t values (${id})`.execute()))
		await Promise.all(statements)
	})
	await expect(lost).rejects.toMatchObject({ code: 'CONNECTION_CLOSED' })
	await sql.begin(async (tx) => {
		await tx`insert into public.t values (4)`
		goOn()
		await until(() => statements.length === 2, 'the lost transaction to go on')
		expect((await Promise.allSettled(statements)).map(({ status }) => status)).toEqual(['rejected', 'rejected'])
		await tx`insert into public.t values (5)`
	})
	expect(await sql`select id from public.t order by id`).toEqual([{ id: 4 }, { id: 5 }])
})

test('the first statement of a connection answers with its own rows, not with what the one before it left', async () => {
	await using database = await freshDatabase()
	await using session = disposable(openSessions(database.url, { applicationName: 'ended', max: 1 }))
	const { sql } = session
	await expect(sql`select pg_terminate_backend(pg_backend_pid())`).rejects.toMatchObject({ code: 'CONNECTION_CLOSED' })
	expect(await sql`select 1 as one`).toEqual([{ one: 1 }])
})

test.each([1, 2, 3, 40])('a connection goes on behind a COPY of %i large rows that was read late', async (rows) => {
	await using database = await freshDatabase()
	await using session = disposable(openSessions(database.url, { applicationName: 'copy', max: 1 }))
	const { sql } = session
	const copied = await sql
		.unsafe(`copy (select repeat('x', 150000) from generate_series(1, ${rows})) to stdout`)
		.readable()
	await until(() => copied.readableLength > 150_000, 'the first row to come')
	let bytes = 0
	for await (const line of copied) bytes += (line as Buffer).length
	expect(bytes).toBe(rows * 150_001)
	expect(await sql`select 1 as one`).toEqual([{ one: 1 }])
})

test('a session to which row security applies fails instead of seeing less', async () => {
	await using database = await freshDatabase()
	const { sql, name } = database
	await sql`create table public.t (id int primary key)`
	await sql`insert into public.t values (1), (2)`
	await sql`alter table public.t enable row level security`
	await sql`create policy half on public.t using (id = 1)`
	await sql
		.unsafe(`create role reader_${name} login password 'reader'; grant select on public.t to reader_${name}`)
		.simple()
	try {
		const url = new URL(database.url)
		url.username = `reader_${name}`
		url.password = 'reader'
		await using session = disposable(openSessions(url.href, { applicationName: 'reader', max: 1 }))
		await expect(session.sql`select id from public.t`).rejects.toMatchObject({ code: '42501' })
	} finally {
		await sql.unsafe(`drop owned by reader_${name}; drop role reader_${name}`).simple()
	}
})

function disposable(sql: ReturnType<typeof openSessions>) {
	return { sql, [Symbol.asyncDispose]: () => sql.end({ timeout: 5 }) }
}
