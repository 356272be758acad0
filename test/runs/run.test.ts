import type { Policy } from '@reprieve/contracts'
import { expect, test } from 'vitest'
import { cancelRun } from '../../apps/service/src/runs/cancel.ts'
import { listDrifted } from '../../apps/service/src/runs/drifted.ts'
import { getRun } from '../../apps/service/src/runs/get.ts'
import { pauseRun } from '../../apps/service/src/runs/pause.ts'
import { resumeRun } from '../../apps/service/src/runs/resume.ts'
import { startRun } from '../../apps/service/src/runs/start.ts'
import { claimRun } from '../../apps/service/src/runs/worker/claim.ts'
import { startWorkers } from '../../apps/service/src/runs/worker/loop.ts'
import { openRefusing } from '../faults/refusing.ts'
import { admin } from '../support/services.ts'
import { until } from '../support/wait.ts'
import { openShop, type Shop } from './shop.ts'

const sessions = `create table sessions (id bigint generated always as identity primary key, seen timestamptz);
	insert into sessions (seen) select '2020-01-01'::timestamptz + n * interval '1 minute' from generate_series(1, 500) n;
	insert into sessions (seen) values ('2100-01-01')`
const stale: Policy = { kind: 'stale', table: 'sessions', column: 'seen', olderThan: 'P30D' }

async function startStale(shop: Shop, rows = 50, exposure = 100_000) {
	await shop.protect('sessions')
	const planId = await shop.plan(stale)
	return startRun(shop.services, admin, { planId, reason: 'test', batch: { rows }, exposure: { rows: exposure } })
}

test('a run deletes what was planned in tagged batches and succeeds when every receipt is in', async () => {
	await using shop = await openShop(sessions)
	const { services, database } = shop
	const started = await startStale(shop)
	expect(started).toMatchObject({ status: 'queued', planned: 500, deleted: 0 })
	const workers = await startWorkers(services)
	try {
		await until(async () => {
			const run = await getRun(services, admin, { id: started.id })
			return run.deleted === 500 && run.waiting?.reason === 'receipts'
		}, 'the last batch')
		expect(await getRun(services, admin, { id: started.id })).toMatchObject({
			status: 'running',
			archived: 0,
			exposure: 500,
			batches: 10,
		})
		expect(await shop.archive()).toBe(10)
		const run = await getRun(services, admin, { id: started.id, wait: 10 })
		expect(run).toMatchObject({ status: 'succeeded', archived: 500, exposure: 0, drifted: 0, progress: 1 })
	} finally {
		await workers.stop()
	}
	const [left] = await database.sql<{ rows: number }[]>`select count(*)::int as rows from public.sessions`
	expect(left?.rows).toBe(1)
})

test('a run whose failed batch cannot be noted while connections are refused stays in the hands of its worker', async () => {
	await using shop = await openShop(sessions)
	const { id } = await startStale(shop)
	const { database, services } = shop
	await database.sql`update reprieve.protected_tables set status = 'pending'`
	await using refusing = await openRefusing(database.url, ({ msg }) => msg === 'batch rolled back')
	const refused = { ...services, log: refusing.log, control: refusing.control }
	const workers = await startWorkers(refused, { pollMs: 50 })
	try {
		await refusing.healed
		await until(async () => (await getRun(services, admin, { id })).waiting?.reason === 'pending', 'the run to wait')
		await database.sql`update reprieve.protected_tables set status = 'ready'`
		await until(async () => (await getRun(services, admin, { id })).deleted === 500, 'the last batch')
		expect(await database.sql`select epoch::int from reprieve.runs`).toMatchObject([{ epoch: 1 }])
	} finally {
		await workers.stop()
	}
})

test('a run never gets further ahead of its receipts than its window and goes on by itself', async () => {
	await using shop = await openShop(sessions, { limits: { exposureBatches: 3 } })
	const { services } = shop
	const { id } = await startStale(shop)
	const workers = await startWorkers(services, { pollMs: 50 })
	try {
		for (const batches of [3, 6, 9]) {
			const waiting = await until(async () => {
				const run = await getRun(services, admin, { id })
				return run.waiting?.reason === 'exposure' && run.batches === batches && run
			}, `${batches} batches`)
			expect(waiting).toMatchObject({ exposure: 150, waiting: { reason: 'exposure', reading: 3, limit: 3 } })
			await shop.archive()
		}
		await until(
			async () => (await shop.archive()) && (await getRun(services, admin, { id })).deleted === 500,
			'the rest',
		)
		expect(await getRun(services, admin, { id, wait: 10 })).toMatchObject({ status: 'succeeded', archived: 500 })
	} finally {
		await workers.stop()
	}
})

test('the window in rows holds too', async () => {
	await using shop = await openShop(sessions)
	const { services } = shop
	const { id } = await startStale(shop, 50, 120)
	const workers = await startWorkers(services, { pollMs: 50 })
	try {
		const run = await until(async () => {
			const seen = await getRun(services, admin, { id })
			return seen.waiting && seen
		}, 'waiting')
		expect(run).toMatchObject({ deleted: 100, waiting: { reason: 'exposure', reading: 100, limit: 120 } })
	} finally {
		await workers.stop()
	}
})

test('a run waits for as long as the disk of the server is full, and says so', async () => {
	await using shop = await openShop(sessions)
	const { services, database } = shop
	const { id } = await startStale(shop)
	await database.sql.unsafe(`create sequence public.refused;
		create function public.refuse() returns trigger language plpgsql as $$ begin
			perform pg_catalog.nextval('public.refused'); raise 'no space' using errcode = 'disk_full'; end $$;
		create trigger refuse before insert on reprieve.batches execute function public.refuse()`)
	const workers = await startWorkers(services, { pollMs: 10, attempts: 2 })
	try {
		await until(
			async () => Number((await database.sql`select last_value from public.refused`)[0]?.last_value) > 4,
			'tries',
		)
		const waiting = { reason: 'diskFull', reading: 1, limit: 0 }
		expect(await getRun(services, admin, { id })).toMatchObject({ status: 'running', deleted: 0, waiting })
		await database.sql`drop trigger refuse on reprieve.batches`
		await until(async () => (await getRun(services, admin, { id })).deleted === 500, 'the rows to go')
	} finally {
		await workers.stop()
	}
})

test('a run that is paused stops between two batches, resumes where it was, and cancelled keeps what it did', async () => {
	await using shop = await openShop(sessions, { limits: { exposureBatches: 2 } })
	const { services } = shop
	const { id } = await startStale(shop)
	const workers = await startWorkers(services, { pollMs: 50 })
	try {
		await until(async () => (await getRun(services, admin, { id })).waiting, 'exposure')
		expect((await pauseRun(services, admin, { id })).status).toBe('pausing')
		await until(async () => (await getRun(services, admin, { id })).status === 'paused', 'paused')
		await shop.archive()
		await until(async () => (await getRun(services, admin, { id })).archived === 100, 'receipts of a paused run')
		expect((await getRun(services, admin, { id })).deleted).toBe(100)
		expect((await resumeRun(services, admin, { id })).status).toBe('queued')
		await until(async () => (await getRun(services, admin, { id })).deleted === 200, 'two more batches')
		await cancelRun(services, admin, { id })
		const run = await getRun(services, admin, { id, wait: 10 })
		expect(run).toMatchObject({ status: 'cancelled', deleted: 200, batches: 4 })
		await expect(resumeRun(services, admin, { id })).rejects.toMatchObject({ code: 'CONFLICT' })
	} finally {
		await workers.stop()
	}
})

test('a receipt that differs fails the run and opens an incident', async () => {
	await using shop = await openShop(sessions, { limits: { exposureBatches: 2 } })
	const { services, database } = shop
	const { id } = await startStale(shop)
	const workers = await startWorkers(services, { pollMs: 50 })
	try {
		await until(async () => (await getRun(services, admin, { id })).waiting, 'exposure')
	} finally {
		await workers.stop()
	}
	await shop.archive()
	await database.sql`update reprieve.receipts set rows = '{"sessions": {"deleted": 49, "relinked": 0}}' where batch = 2`
	const again = await startWorkers(services, { pollMs: 50 })
	try {
		const run = await getRun(services, admin, { id, wait: 10 })
		expect(run.status).toBe('failed')
		expect(run.failure?.message).toContain('50 rows of sessions were deleted, 49 were archived')
	} finally {
		await again.stop()
	}
	const incidents = await database.sql`select code, "table" from reprieve.incidents`
	expect(incidents).toMatchObject([{ code: 'receiptDiffers', table: 'sessions' }])
})

test('rows that changed or went since the plan stay and are reported with why', async () => {
	await using shop = await openShop(sessions)
	const { services, database } = shop
	const { id } = await startStale(shop)
	await database.sql`update public.sessions set seen = seen where id = 7`
	await database.sql`delete from public.sessions where id = 9`
	const workers = await startWorkers(services, { pollMs: 50 })
	try {
		await until(async () => {
			await shop.archive()
			return (await getRun(services, admin, { id })).status === 'succeeded'
		}, 'the end')
	} finally {
		await workers.stop()
	}
	expect(await getRun(services, admin, { id })).toMatchObject({ deleted: 498, drifted: 2, archived: 498 })
	expect(await listDrifted(services, admin, { id })).toEqual({
		items: [
			{ table: 'sessions', key: { id: '7' }, why: 'changed' },
			{ table: 'sessions', key: { id: '9' }, why: 'gone' },
		],
	})
	const [kept] = await database.sql<{ rows: number }[]>`select count(*)::int as rows from public.sessions where id = 7`
	expect(kept?.rows).toBe(1)
})

test('a closure larger than the window is refused, and one as large goes alone', async () => {
	await using shop = await openShop(`create table orders (id int primary key);
		create table lines (id int primary key, order_id int not null references orders on delete cascade);
		insert into orders values (1); insert into lines select n, 1 from generate_series(1, 4) n`)
	await shop.protect('orders')
	const planId = await shop.plan({ kind: 'match', table: 'orders', where: { and: [] } })
	const start = (rows: number) => startRun(shop.services, admin, { planId, reason: 'test', exposure: { rows } })
	await expect(start(4)).rejects.toMatchObject({
		code: 'LIMIT_EXCEEDED',
		message: '5 rows must go in one batch, the exposure window is 4 rows',
	})
	expect((await start(5)).status).toBe('queued')
})

test('a run taken up again compares the rows of its plan once more', async () => {
	await using shop = await openShop(sessions)
	const { services, database } = shop
	const { id } = await startStale(shop)
	const taken = await claimRun(services, 'first', 60_000)
	const rows = taken?.body.tables[0]?.rowsTable ?? ''
	await database.sql.unsafe(`update reprieve.${rows} set k1[1] = 501`)
	await database.sql`update reprieve.runs set lease_until = clock_timestamp() - interval '1 s'`
	const workers = await startWorkers(services, { pollMs: 50 })
	try {
		const run = await getRun(services, admin, { id, wait: 10 })
		expect(run).toMatchObject({ status: 'failed', deleted: 0, failure: { code: 'PLAN_DRIFTED' } })
	} finally {
		await workers.stop()
	}
})

test('a run on a table whose gate is closed is refused with the findings', async () => {
	await using shop = await openShop(sessions)
	await shop.protect('sessions')
	const planId = await shop.plan(stale)
	await shop.database.sql`update reprieve.protected_tables set status = 'pending'`
	await expect(startRun(shop.services, admin, { planId, reason: 'test' })).rejects.toMatchObject({
		code: 'NOT_RESTORABLE',
		issues: [{ path: 'sessions', message: expect.stringContaining('pending') }],
	})
	expect(await shop.database.sql`select from reprieve.runs`).toHaveLength(0)
})
