import { Writable } from 'node:stream'
import { watchConnections } from '@reprieve/postgres'
import { pino } from 'pino'
import postgres from 'postgres'
import { afterAll, expect, test } from 'vitest'
import { archivedRows, captureGround, publish } from '../capture/ground.ts'
import { freshDatabase, startCluster } from '../support/postgres.ts'
import { until } from '../support/wait.ts'
import { judge } from './crash/judge.ts'
import { places } from './crash/places.ts'
import { editAt, type Place } from './crash/point.ts'
import { bystander } from './crash/settings.ts'
import { tellStory } from './crash/story.ts'
import { startCrashWorld, telling } from './crash/world.ts'
import { startProxy } from './proxy.ts'
import { openStrikes } from './strikes.ts'

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

/** Where every connection of a pool so far falls silent; pools by the name of their sessions. */
const silences: Record<'service' | 'sidecar', (Place & { pool: string })[]> = {
	service: [
		{ ...places.tablesPublished, pool: 'reprieve owner' },
		{ ...places.planBeingWritten, pool: 'reprieve plan' },
		{ ...places.batchTagged, nth: 2, pool: 'reprieve delete' },
		{ ...places.batchCommitted, nth: 5, pool: 'reprieve service' },
		{ ...places.restoreInserted, nth: 2, pool: 'reprieve restore' },
	],
	sidecar: [
		{ ...places.segmentsWritten, nth: 4, pool: 'reprieve sidecar' },
		{ ...places.transactionsCommitted, nth: 12, pool: 'reprieve sidecar control' },
		{ ...places.tablesCommitted, nth: 9, pool: 'reprieve capture' },
	],
}

const cluster = await startCluster(18, { wal_sender_timeout: '4s' })
afterAll(() => cluster.stop())

test('service and sidecar go on by themselves when connections of each pool fall silent in the middle of their work', {
	timeout: 600_000,
}, async () => {
	const all = [...silences.service, ...silences.sidecar]
	await using proxy = await startProxy(cluster.url)
	const silence = (pool: string) => async () => expect(proxy.hang(pool)).toBeGreaterThan(0)
	await using strikes = await openStrikes(Object.fromEntries(all.map(({ name, pool }) => [name, silence(pool)])))
	const edits = (program: 'service' | 'sidecar') =>
		silences[program].map(({ pool: _, ...place }) =>
			editAt({ ...place, first: strikes.at(place.name), fate: 'nothing' }),
		)
	const parts = { service: { edits: edits('service') }, sidecar: { edits: edits('sidecar') } }
	await using world = await startCrashWorld(cluster, parts, { address: (url) => behind(proxy, url) })
	await telling(world, async () => {
		await tellStory(world)
		await world.barrier()
		expect(await judge(world)).toEqual([])
		expect(strikes.struck().toSorted()).toEqual(all.map(({ name }) => name).toSorted())
		for (const one of [world.service, world.sidecar]) {
			expect([one.kills, one.ended]).toEqual([0, undefined])
			expect(one.output()).toContain('is half open')
		}
	})
})

test('a worker that is cut off from the server is succeeded by another, and works again afterwards', {
	timeout: 600_000,
}, async () => {
	await using proxy = await startProxy(cluster.url)
	const healed = Promise.withResolvers<() => void>()
	await using strikes = await openStrikes({ cut: async () => healed.resolve(proxy.cut().heal) })
	await using world = await startCrashWorld(cluster, { service: { edits: bystander } })
	const place = { ...places.batchTagged, nth: 2 }
	const lost = await world.start('service', {
		env: { DATABASE_URL: behind(proxy, world.database.url) },
		edits: [editAt({ ...place, first: strikes.at('cut'), fate: 'nothing' })],
	})
	await telling(world, async () => {
		const succeeded = async () => {
			const heal = await healed.promise
			const successor = await world.start('service')
			await until(() => /goes on where it was left/.test(successor.output()), 'it to take over', 60_000)
			expect(lost.output()).not.toContain('is half open')
			heal()
		}
		await Promise.all([tellStory(world), succeeded()])
		await world.barrier()
		expect(await judge(world)).toEqual([])
		await until(() => lost.output().includes('is half open'), 'it to notice', 60_000)
		expect([lost.kills, lost.ended]).toEqual([0, undefined])
	})
})

/** The address of a database as it is reached through the proxy. */
function behind(proxy: Awaited<ReturnType<typeof startProxy>>, url: string): string {
	return Object.assign(new URL(url), { port: new URL(proxy.url).port }).href
}
