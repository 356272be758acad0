import { ReprieveError } from '@reprieve/contracts'
import { openSessions } from '@reprieve/postgres'
import { expect, test } from 'vitest'
import { findChanges } from '../../apps/service/src/archive/changes.ts'
import { cancelRestore } from '../../apps/service/src/restores/cancel.ts'
import { getRestore } from '../../apps/service/src/restores/get.ts'
import { listRestores } from '../../apps/service/src/restores/list.ts'
import { pauseRestore } from '../../apps/service/src/restores/pause.ts'
import { reportRestore } from '../../apps/service/src/restores/report.ts'
import { resumeRestore } from '../../apps/service/src/restores/resume.ts'
import { startRestore } from '../../apps/service/src/restores/start.ts'
import { claimRestore } from '../../apps/service/src/restores/worker/claim.ts'
import { executeRestore, usualPatience } from '../../apps/service/src/restores/worker/execute.ts'
import { startRestoreWorkers } from '../../apps/service/src/restores/worker/loop.ts'
import { reportedRows } from '../../packages/restore/src/execute/shares.ts'
import { openRefusing } from '../faults/refusing.ts'
import { admin } from '../support/services.ts'
import { until } from '../support/wait.ts'
import { differences, keep, openScene, preview, type Scene, work } from './scene.ts'

/** A restore of 100 rows in ten batches, queued. */
async function queuedRestore(scene: Scene): Promise<string> {
	const { sql, vault } = scene
	await sql`create table public.t (id int primary key, note text)`
	await sql`insert into public.t select n, 'row ' || n from generate_series(1, 100) n`
	await keep(sql, 't')
	await vault.deleteRows(sql, 't', 'true', { run: 'r' })
	const { hash } = await preview(scene, { selection: { run: 'r' } })
	const input = { selection: { run: 'r' }, hash, reason: 'test' }
	return (await startRestore(scene.services, admin, input, { batchRows: 10 })).id
}

/** Runs `before` ahead of each look for the rows' transactions, which every batch makes once, in its own transaction. */
function beforeBatches(scene: Scene, before: (batch: number) => Promise<void>): void {
	const { transactions } = scene.vault
	let batch = 0
	scene.services.vault = {
		...scene.vault,
		transactions: {
			...transactions,
			async *read(query) {
				if (query.exact) await before(++batch)
				yield* transactions.read(query)
			},
		},
	}
}

const signal = () => new AbortController().signal

test('a worker that comes back after its lease was taken over commits nothing twice', async () => {
	await using scene = await openScene()
	const id = await queuedRestore(scene)
	const stuck = Promise.withResolvers<void>()
	const release = Promise.withResolvers<void>()
	beforeBatches(scene, async (batch) => {
		// The first batch: those behind it may be copied in ahead of their turn.
		if (batch !== 1) return
		stuck.resolve()
		await release.promise
	})
	const first = await claimRestore(scene.services, 'first', 1)
	const working = executeRestore(scene.services, first as NonNullable<typeof first>, signal())
	await stuck.promise
	const second = await claimRestore(scene.services, 'second', 30_000)
	expect(second?.lease).toMatchObject({ id, epoch: 2 })
	release.resolve()
	await working
	expect(await scene.sql`select from public.t`).toEqual([])
	await executeRestore(scene.services, second as NonNullable<typeof second>, signal())
	expect(await getRestore(scene.services, admin, { id })).toMatchObject({
		status: 'succeeded',
		restored: 100,
		verified: 100,
	})
	expect(await differences(scene.sql, 't', ['id'])).toEqual([])
	expect(await scene.sql`select from ${scene.sql.unsafe(reportedRows)} r`).toHaveLength(100)
})

test('who takes a restore over is not kept from rows that the one before copied in and cannot commit', async () => {
	await using scene = await openScene()
	const id = await queuedRestore(scene)
	const release = Promise.withResolvers<void>()
	let isFirst = true
	beforeBatches(scene, async () => {
		if (!isFirst) return
		isFirst = false
		await release.promise
	})
	const first = await claimRestore(scene.services, 'first', 1)
	const working = executeRestore(scene.services, first as NonNullable<typeof first>, signal())
	await until(() => isCopiedIn(scene), 'the second batch to be copied in')
	const second = await claimRestore(scene.services, 'second', 30_000)
	await executeRestore(scene.services, second as NonNullable<typeof second>, signal())
	expect(await getRestore(scene.services, admin, { id })).toMatchObject({ status: 'succeeded', restored: 100 })
	expect(await differences(scene.sql, 't', ['id'])).toEqual([])
	release.resolve()
	await working
	expect(await scene.sql`select from ${scene.sql.unsafe(reportedRows)} r`).toHaveLength(100)
})

test('a batch that waits for a value of the one beside it goes first', async () => {
	await using scene = await openScene()
	const { sql, vault } = scene
	await sql`create table public.t (id int primary key, taken int4range, exclude using gist (taken with &&))`
	await sql`insert into public.t select n, int4range(n, n + 1) from generate_series(1, 10) n`
	await vault.deleteRows(sql, 't', 'true', { run: 'r' })
	await sql`insert into public.t select n, int4range(n - 10, n - 9) from generate_series(11, 20) n`
	await vault.deleteRows(sql, 't', 'true', { run: 'r' })
	const { hash } = await preview(scene, { selection: { run: 'r' }, conflict: 'skip' })
	const input = { selection: { run: 'r' }, conflict: 'skip' as const, hash, reason: 'test' }
	const { id } = await startRestore(scene.services, admin, input, { batchRows: 10 })
	// Every first of two stands still until the one beside it has its rows in; alone it finds nobody to wait for.
	let met = 0
	beforeBatches(scene, async (looks) => {
		const wait = () => until(() => isCopiedIn(scene), 'a batch to be copied in beside it', 1_000)
		if (looks % 2 === 1)
			await wait().then(
				() => met++,
				() => {},
			)
	})
	expect(await work(scene, id)).toMatchObject({ status: 'succeeded', restored: 10, skipped: 10 })
	expect(await sql`select from public.t where id <= 10`).toHaveLength(10)
	expect(met).toBe(1)
})

/** Whether a batch has its rows in its table and waits for its turn. */
async function isCopiedIn({ sql }: Scene): Promise<boolean> {
	const found = await sql`select from pg_stat_activity where application_name = 'test restore'
		and state = 'idle in transaction' and query like 'copy (%' and datname = current_database()`
	return found.length > 0
}

test('a connection that dies within a batch costs nothing but the batch', async () => {
	await using scene = await openScene()
	const id = await queuedRestore(scene)
	beforeBatches(scene, async (batch) => {
		if (batch !== 4) return
		await scene.sql`select pg_terminate_backend(pid) from pg_stat_activity
			where datname = current_database() and application_name = 'test restore' and state = 'idle in transaction'`
	})
	expect(await work(scene, id)).toMatchObject({ status: 'succeeded', restored: 100, verified: 100 })
	expect(await differences(scene.sql, 't', ['id'])).toEqual([])
})

test.each([
	['looked at', 4],
	['ended', 10],
])('a restore that cannot be %s while connections are refused stays in the hands of its worker', async (what, at) => {
	await using scene = await openScene()
	const id = await queuedRestore(scene)
	await using refusing = await openRefusing(scene.database.url, ({ msg, batch }) => {
		return msg === 'restored a batch' && batch === at
	})
	const { log, control, sql } = refusing
	const refused = what === 'ended' ? { pools: { ...scene.services.pools, restore: sql } } : { control }
	const services = { ...scene.services, log, ...refused }
	const claimed = await claimRestore(services, 'test', 30_000)
	const working = executeRestore(services, claimed as NonNullable<typeof claimed>, signal())
	await Promise.all([working, refusing.healed])
	expect(await getRestore(scene.services, admin, { id })).toMatchObject({ status: 'succeeded', restored: 100 })
	expect(await scene.sql`select epoch::int from reprieve.restores`).toMatchObject([{ epoch: 1 }])
	expect(await differences(scene.sql, 't', ['id'])).toEqual([])
})

test('pause stands still between two batches, resume goes on where it stood, cancel keeps what is back', async () => {
	await using scene = await openScene()
	const id = await queuedRestore(scene)
	let command = async (): Promise<unknown> => pauseRestore(scene.services, admin, { id })
	beforeBatches(scene, async (batch) => {
		if (batch === 3 || batch === 6) await command()
	})
	const paused = await work(scene, id)
	// The batch that looks may be the one under way, or the one that is copied in beside it.
	expect([20, 30]).toContain(paused.restored)
	expect(paused).toMatchObject({ status: 'paused', progress: paused.restored / 100 })
	expect(await scene.sql`select from public.t`).toHaveLength(paused.restored)
	expect(await claimRestore(scene.services, 'other', 1)).toBeUndefined()
	command = () => cancelRestore(scene.services, admin, { id })
	await resumeRestore(scene.services, admin, { id })
	const ended = await work(scene, id)
	expect(ended.status).toBe('cancelled')
	expect(ended.restored).toBeGreaterThan(paused.restored)
	expect(ended.restored).toBeLessThan(100)
	expect(await scene.sql`select from public.t`).toHaveLength(ended.restored)
	await expect(resumeRestore(scene.services, admin, { id })).rejects.toMatchObject({ code: 'CONFLICT' })
	expect(await scene.sql`select from reprieve.restored_shares where version is null`).toEqual([])
	expect(await scene.sql`select from ${scene.sql.unsafe(reportedRows)} r`).toHaveLength(ended.restored)
})

test('the report keeps the ids under which the archive shows the changes', async () => {
	await using scene = await openScene()
	await work(scene, await queuedRestore(scene))
	const { items } = await findChanges(scene.services, admin, { table: 't', limit: 100 })
	const kept = await scene.sql<{ id: string }[]>`select change_id as id from ${scene.sql.unsafe(reportedRows)} r`
	expect(kept.map(({ id }) => id).sort()).toEqual(items.map(({ id }) => id).sort())
	expect(kept).toHaveLength(100)
})

test('workers take what is queued, and the report and the list show it', async () => {
	await using scene = await openScene()
	const workers = await startRestoreWorkers(scene.services, { pollMs: 50 })
	try {
		const id = await queuedRestore(scene)
		expect(await getRestore(scene.services, admin, { id, wait: 30 })).toMatchObject({
			status: 'succeeded',
			restored: 100,
		})
		expect(await reportRestore(scene.services, admin, { id })).toMatchObject({
			tables: [{ table: 't', selected: 100, restored: 100, verified: 100 }],
			items: [],
		})
		expect((await listRestores(scene.services, admin, { limit: 1 })).items).toMatchObject([{ id }])
	} finally {
		await workers.stop()
	}
})

test('a change that the archive lost fails the batch instead of being left out', async () => {
	await using scene = await openScene()
	const id = await queuedRestore(scene)
	const { table } = scene.vault
	scene.services.vault = {
		...scene.vault,
		table: (name) => ({
			...table(name),
			read: (query) =>
				table(name).read({ ...query, changes: query.changes?.filter((change) => change.ordinal !== 55) }),
		}),
	}
	expect(await work(scene, id)).toMatchObject({ status: 'failed', restored: 50, failure: { code: 'VAULT_CORRUPT' } })
})

test('no transaction is open while what a batch begins with is read', async () => {
	await using scene = await openScene()
	const id = await queuedRestore(scene)
	const { table } = scene.vault
	const open = async () =>
		await scene.sql`select query from pg_stat_activity
			where datname = current_database() and application_name = 'test restore' and xact_start is not null`
	let first: unknown
	scene.services.vault = {
		...scene.vault,
		table: (name) => ({
			...table(name),
			async *read(query) {
				first ??= await open()
				yield* table(name).read(query)
			},
		}),
	}
	expect(await work(scene, id)).toMatchObject({ status: 'succeeded', restored: 100, verified: 100 })
	expect(first).toEqual([])
})

test('one connection is enough for a restore', async () => {
	await using scene = await openScene()
	const id = await queuedRestore(scene)
	const restore = openSessions(scene.database.url, { applicationName: 'test one', max: 1 })
	const { pools } = scene.services
	scene.services.pools = { ...pools, restore }
	try {
		expect(await work(scene, id)).toMatchObject({ status: 'succeeded', restored: 100, verified: 100 })
	} finally {
		scene.services.pools = pools
		await restore.end({ timeout: 5 })
	}
})

test('a restore waits for as long as the disk of the server is full, and says so', async () => {
	await using scene = await openScene()
	const id = await queuedRestore(scene)
	const { sql, services } = scene
	await sql.unsafe(`create sequence public.refused;
		create function public.refuse() returns trigger language plpgsql as $$ begin
			perform pg_catalog.nextval('public.refused'); raise 'no space' using errcode = 'disk_full'; end $$;
		create trigger refuse before update of cursor on reprieve.restores execute function public.refuse()`)
	const claimed = await claimRestore(services, 'one', 60_000)
	const working = executeRestore(services, claimed as NonNullable<typeof claimed>, signal())
	await until(async () => Number((await sql`select last_value from public.refused`)[0]?.last_value) > 1, 'two tries')
	const waiting = { reason: 'diskFull', reading: 1, limit: 0 }
	expect(await getRestore(services, admin, { id })).toMatchObject({ status: 'running', restored: 0, waiting })
	await sql`drop trigger refuse on reprieve.restores`
	await working
	const restored = await getRestore(services, admin, { id })
	expect([restored.status, restored.restored, restored.waiting]).toEqual(['succeeded', 100, undefined])
})

test('a restore waits for as long as the vault cannot be read, says so, and can be paused meanwhile', async () => {
	await using scene = await openScene()
	const id = await queuedRestore(scene)
	const { services, vault } = scene
	let isAway = true
	let refused = 0
	services.vault = {
		...vault,
		table: (name) => ({
			...vault.table(name),
			async *read(query) {
				if (isAway) refused += 1
				if (isAway) throw new ReprieveError('VAULT_UNAVAILABLE', 'the store does not answer')
				yield* vault.table(name).read(query)
			},
		}),
	}
	const patience = { ...usualPatience, attempts: 1 }
	const waiting = { reason: 'vaultUnavailable', reading: 1, limit: 0 }
	const claimed = await claimRestore(services, 'one', 60_000)
	const working = executeRestore(services, claimed as NonNullable<typeof claimed>, signal(), patience)
	await until(() => refused > 2, 'three tries')
	expect(await getRestore(services, admin, { id })).toMatchObject({ status: 'running', restored: 0, waiting })
	await pauseRestore(services, admin, { id })
	await working
	const paused = await getRestore(services, admin, { id })
	expect([paused.status, paused.restored, paused.waiting]).toEqual(['paused', 0, undefined])
	isAway = false
	await resumeRestore(services, admin, { id })
	expect(await work(scene, id)).toMatchObject({ status: 'succeeded', restored: 100, verified: 100 })
})

test.each([
	{ refused: 20, ends: { status: 'succeeded', restored: 100 } },
	{ refused: 1_000, ends: { status: 'failed', restored: 0, failure: { code: 'UNAVAILABLE' } } },
])('a batch that meets $refused deadlocks is tried 24 times, and says so', async ({ refused, ends }) => {
	await using scene = await openScene()
	const id = await queuedRestore(scene)
	const { sql, services } = scene
	await sql.unsafe(`create sequence public.refused;
		create function public.refuse() returns trigger language plpgsql as $$ begin
			if pg_catalog.nextval('public.refused') <= ${refused} then raise 'deadlock' using errcode = 'deadlock_detected'; end if;
			return new; end $$;
		create trigger refuse before update of cursor on reprieve.restores for each row execute function public.refuse();
		create table public.told (waiting jsonb);
		create function public.tell() returns trigger language plpgsql as $$ begin
			if new.waiting is not null then insert into public.told values (new.waiting); end if; return null; end $$;
		create trigger tell after update of waiting on reprieve.restores for each row execute function public.tell()`)
	const claimed = await claimRestore(services, 'one', 60_000)
	const patience = { ...usualPatience, pauseMs: 1, longestPauseMs: 2 }
	await executeRestore(services, claimed as NonNullable<typeof claimed>, signal(), patience)
	const { waiting, ...restored } = await getRestore(services, admin, { id })
	expect(restored).toMatchObject(ends)
	expect(waiting).toBeUndefined()
	const told = await sql`select waiting from public.told order by (waiting ->> 'reading')::int`
	expect(told.map((row) => row.waiting)).toEqual(
		Array.from({ length: Math.min(refused, 23) }, (_, at) => ({ reason: 'contention', reading: at + 1, limit: 24 })),
	)
})
