import { randomBytes } from 'node:crypto'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { readServerFacts, streamFindings } from '@reprieve/postgres'
import type { Sidecar } from '@reprieve/sidecar'
import { openVaultAt } from '@reprieve/vault'
import postgres from 'postgres'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { archivedRows, type CaptureGround, captureGround, publish } from '../capture/ground.ts'
import { startCluster } from '../support/postgres.ts'
import { until } from '../support/wait.ts'
import { mountSmallDisk } from './disk.ts'

const timeout = 120_000
let cluster: Awaited<ReturnType<typeof startCluster>>

beforeAll(async () => {
	const limits = { max_slot_wal_keep_size: '32MB', max_wal_size: '64MB', min_wal_size: '32MB', max_connections: '30' }
	cluster = await startCluster(18, { ...limits, max_wal_senders: '5', max_replication_slots: '10' })
}, 60_000)
afterAll(() => cluster?.stop())

test('a slot that is dropped under a running capture is made again, and the gap is told', { timeout }, async () => {
	await using ground = await begin()
	const { sql } = ground
	const [lineage] = await sql`select slot from reprieve.lineages`
	await until(async () => {
		await sql`select pg_terminate_backend(active_pid) from pg_replication_slots where slot_name = ${lineage?.slot}`
		return await sql`select pg_drop_replication_slot(${lineage?.slot})`.catch(() => false)
	}, 'the slot to be dropped')
	await gapIsTold(ground, /slot reprieve_\d+ was gone: what was deleted in between is not in the vault/)
})

test('a slot that lost its log is made again, and the gap is told', { timeout }, async () => {
	await using ground = await begin()
	const { sql } = ground
	await ground.stop()
	await until(async () => {
		await sql`select pg_logical_emit_message(false, 'fill', repeat('x', 16000000)), pg_switch_wal()`
		await sql`checkpoint`
		return (await sql`select from pg_replication_slots where wal_status = 'lost' and database = ${ground.name}`).length
	}, 'the slot to be lost')
	await ground.goOn()
	await gapIsTold(ground, /slot reprieve_\d+ lost the log it needs: what was deleted/)
})

test('a slot that was idle for too long is made again, and the gap is told', { timeout }, async () => {
	await using ground = await begin()
	const { sql } = ground
	await ground.stop()
	await sql`alter system set idle_replication_slot_timeout = '1s'`
	await sql`select pg_reload_conf()`
	await until(async () => {
		await sql`checkpoint`
		const lost = sql`select from pg_replication_slots where invalidation_reason = 'idle_timeout' and database = ${ground.name}`
		return (await lost).length
	}, 'the slot to be invalidated')
	await sql`alter system reset idle_replication_slot_timeout`
	await sql`select pg_reload_conf()`
	await ground.goOn()
	await gapIsTold(ground, /slot reprieve_\d+ lost the log it needs: what was deleted/)
})

test('a role that may not replicate any more is told in the findings, and capture goes on when it may', {
	timeout,
}, async () => {
	await using ground = await begin()
	const { sql } = ground
	const role = `capture_${randomBytes(4).toString('hex')}`
	await sql.unsafe(`create role ${role} login superuser replication password 'first'`)
	await ground.stop()
	const url = ground.url.replace(/\/\/[^@]*@/, `//${role}:first@`)
	await ground.goOn(url)
	await sql.unsafe(`alter role ${role} nosuperuser noreplication`)
	await sql.unsafe(`grant all on schema reprieve to ${role}; grant all on all tables in schema reprieve to ${role};
		grant execute on all functions in schema pg_catalog to ${role}`)
	await sql.unsafe(`alter publication reprieve owner to ${role}; alter publication reprieve_relink owner to ${role};
		alter publication reprieve_move owner to ${role}`)
	await sql`select pg_terminate_backend(active_pid) from pg_replication_slots where database = ${ground.name} and active`
	await sql`delete from public.t where id = 1`
	const broken = await until(
		async () => (await findings(ground)).find(({ code }) => code === 'captureNotPermitted'),
		'it told',
	)
	expect(broken).toMatchObject({ message: expect.stringMatching(/permission denied/), remedy: expect.any(String) })
	await sql.unsafe(`alter role ${role} superuser replication`)
	await wholeAgain(ground, ['1'])
})

test('a rotated password breaks capture off until it is told the new one, and nothing is lost', {
	timeout,
}, async () => {
	await using ground = await begin()
	const { sql } = ground
	const role = `capture_${randomBytes(4).toString('hex')}`
	await sql.unsafe(`create role ${role} login superuser replication password 'first'`)
	await ground.stop()
	const url = (password: string) => ground.url.replace(/\/\/[^@]*@/, `//${role}:${password}@`)
	await ground.goOn(url('first'))
	await sql.unsafe(`alter role ${role} password 'second'`)
	await sql`select pg_terminate_backend(pid) from pg_stat_activity where usename = ${role}`
	await sql`delete from public.t where id = 1`
	await until(async () => (await findings(ground)).some(({ code }) => code === 'slotInactive'), 'it told')
	await ground.stop()
	await ground.goOn(url('second'))
	await wholeAgain(ground, ['1'])
})

test('a server without a free connection breaks capture off, and nothing is lost', { timeout }, async () => {
	await using ground = await begin()
	const { sql } = ground
	const role = `hog_${randomBytes(4).toString('hex')}`
	await sql.unsafe(`create role ${role} login superuser password 'p'`)
	const hogs: postgres.Sql[] = []
	const url = ground.url.replace(/\/\/[^@]*@/, `//${role}:p@`)
	try {
		await sql`delete from public.t where id = 1`
		await sql`select pg_terminate_backend(pid) from pg_stat_activity where application_name like 'reprieve%'`
		await until(async () => {
			const hog = postgres(url, { max: 1, fetch_types: false, onnotice: () => {} })
			hogs.push(hog)
			return await hog`select pg_terminate_backend(pid) from pg_stat_activity where application_name like 'reprieve%'`.then(
				() => false,
				(error: { code: string }) => error.code === '53300',
			)
		}, 'the last connection to be taken')
		await sql`delete from public.t where id = 2`
	} finally {
		await Promise.all(hogs.map((hog) => hog.end({ timeout: 1 })))
	}
	await wholeAgain(ground, ['1', '2'])
})

test('a full disk of the vault breaks capture off, says so, and nothing is lost', { timeout }, async () => {
	const disk = await mountSmallDisk(16)
	if (!disk) return expect.fail('a full disk needs the right to mount one')
	await using mounted = disk
	await using ground = await begin(pathToFileURL(join(mounted.path, 'vault')).href)
	const { sql } = ground
	await mounted.fill()
	await sql`delete from public.t where id <= 3`
	const broken = await until(
		async () => (await findings(ground)).find(({ code }) => code === 'captureBroken'),
		'it told',
	)
	expect(broken?.message).toMatch(/ENOSPC|no space/)
	await mounted.relieve()
	await wholeAgain(ground, ['1', '2', '3'])
})

type Begun = CaptureGround & { stop(): Promise<void>; goOn(url?: string): Promise<void> }

/** A capture that streams the deletions of a table of ten rows, and has archived nothing of it. */
async function begin(vaultUrl?: string): Promise<Begun> {
	const ground = await captureGround(cluster)
	const vault = vaultUrl === undefined ? ground.vault : openVaultAt(vaultUrl, ground.name)
	let running: Sidecar | undefined
	const goOn = async (databaseUrl = ground.url) => {
		running = await ground.start({ databaseUrl, backoffMs: 50 }, { vault })
	}
	await ground.sql`create table public.t (id int primary key)`
	await ground.sql`insert into public.t select generate_series(1, 10)`
	await goOn()
	await publish(ground, 'public.t')
	await ground.barrier()
	return { ...ground, vault, goOn, stop: async () => await running?.stop() }
}

async function findings({ sql }: CaptureGround) {
	return streamFindings(await readServerFacts(sql))
}

/** Capture goes on behind a gap that is on record, with one incident that says so. */
async function gapIsTold(ground: Begun, message: RegExp): Promise<void> {
	const { sql } = ground
	await until(async () => (await sql`select from reprieve.capture_gaps`).length, 'the gap', 30_000)
	await sql`delete from public.t where id = 7`
	await ground.barrier(60_000)
	expect((await archivedRows(ground.vault, 't')).map(({ values }) => values.id)).toEqual(['7'])
	const incidents = await sql`select code, message, remedy from reprieve.incidents`
	expect(incidents).toEqual([
		{
			code: 'CAPTURE_GAP',
			message: expect.stringMatching(message),
			remedy: expect.stringContaining('resolve the incident'),
		},
	])
}

/** Everything that was deleted is archived once, and nothing is left to tell. */
async function wholeAgain(ground: Begun, ids: string[]): Promise<void> {
	await ground.barrier(60_000)
	expect((await archivedRows(ground.vault, 't')).map(({ values }) => values.id)).toEqual(ids)
	expect(await ground.sql`select code from reprieve.incidents`).toEqual([])
	expect(await ground.sql`select reason from reprieve.capture_gaps`).toEqual([])
	await until(async () => (await findings(ground)).every(({ code }) => code !== 'captureBroken'), 'no finding of it')
}
