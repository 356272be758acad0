import { Writable } from 'node:stream'
import { watchConnections } from '@reprieve/postgres'
import { pino } from 'pino'
import postgres from 'postgres'
import { expect, test } from 'vitest'
import { archivedRows, captureGround, publish } from '../capture/ground.ts'
import { freshDatabase } from '../support/postgres.ts'
import { until } from '../support/wait.ts'
import { startProxy } from './proxy.ts'

test('a replication stream that hangs is opened anew, and nothing is lost or comes twice', {
	timeout: 180_000,
}, async () => {
	await using ground = await captureGround()
	const { sql, name } = ground
	await sql.unsafe(`alter database ${name} set wal_sender_timeout = '3s'`)
	await sql`create table public.t (id int primary key)`
	await sql`insert into public.t select generate_series(1, 20)`
	await using proxy = await startProxy(ground.url)
	const said: string[] = []
	const log = pino(new Writable({ write: (line, _encoding, done) => done(void said.push(String(line))) }))
	await ground.start({ databaseUrl: proxy.url }, { log })
	await publish(ground, 'public.t')
	await sql`delete from public.t where id <= 10`
	await ground.barrier()

	expect(proxy.hang('replication')).toBe(1)
	await sql`delete from public.t where id > 10`
	await ground.barrier(60_000)
	const ids = (await archivedRows(ground.vault, 't')).map(({ values }) => Number(values.id))
	expect(ids).toEqual(Array.from({ length: 20 }, (_, at) => at + 1))
	expect(said.join('')).toContain('has not answered on the replication stream for 3000 ms')
	expect(await sql`select code from reprieve.incidents`).toEqual([])
})

test('a quiet stream is asked for a sign, and is not taken for dead', { timeout: 60_000 }, async () => {
	await using ground = await captureGround()
	const { sql, name } = ground
	await sql.unsafe(`alter database ${name} set wal_sender_timeout = '2s'`)
	let starts = 0
	const onState = (state: string) => void (state === 'streaming' && starts++)
	await ground.start({ heartbeatMs: 3_600_000 }, { onState })
	const now = async () => Date.parse((await sql`select clock_timestamp() as at`)[0]?.at)
	const first = await now()
	await until(async () => (await now()) > first + 6_000, 'six quiet seconds', 40_000)
	expect(starts).toBe(1)
})

test('a statement on a half-open connection fails, its locks are free, and a long one may be long', {
	timeout: 60_000,
}, async () => {
	await using database = await freshDatabase()
	const { sql } = database
	await sql`create table public.t (id int primary key)`
	await using proxy = await startProxy(database.url)
	const [lost, patient] = ['the lost', 'the patient'].map((application_name) => {
		const onconnected = watchConnections(proxy.url, 200)
		return postgres(proxy.url, { max: 1, fetch_types: false, onconnected, connection: { application_name } })
	}) as [postgres.Sql, postgres.Sql]
	try {
		let waiting: Promise<unknown> = Promise.resolve()
		const failing = lost.begin(async (tx) => {
			await tx`lock table public.t`
			waiting = patient`insert into public.t values (1)`.execute()
			const since = `select from pg_stat_activity where application_name = 'the patient'
				and wait_event_type = 'Lock' and query_start < clock_timestamp() - interval '3 s'`
			await until(async () => (await sql.unsafe(since)).length, 'many looks at who waits for a lock', 30_000)
			expect(proxy.hang('the lost')).toBe(1)
			await tx`insert into public.t values (2)`
		})
		await expect(failing).rejects.toMatchObject({
			code: 'CONNECTION_SILENT',
			message: expect.stringMatching(/half open/),
		})
		await waiting
		expect(await sql`select id from public.t`).toEqual([{ id: 1 }])
		expect(await lost`select 1 as again`).toEqual([{ again: 1 }])
	} finally {
		await Promise.all([lost.end({ timeout: 0 }), patient.end({ timeout: 0 })])
	}
})
