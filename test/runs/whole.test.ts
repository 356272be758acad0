import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Policy } from '@reprieve/contracts'
import { findTable, protectTable } from '@reprieve/postgres'
import { expect, test } from 'vitest'
import { readConfig } from '../../apps/service/src/config.ts'
import { createPlan } from '../../apps/service/src/plans/create.ts'
import { getRun } from '../../apps/service/src/runs/get.ts'
import { startRun } from '../../apps/service/src/runs/start.ts'
import { startWorkers } from '../../apps/service/src/runs/worker/loop.ts'
import { openServices } from '../../apps/service/src/services.ts'
import { archivedRows, type CaptureGround, captureGround } from '../capture/ground.ts'
import { admin } from '../support/services.ts'
import { until } from '../support/wait.ts'

const old: Policy = { kind: 'match', table: 'orders', where: { column: 'kind', op: 'eq', value: 'old' } }

/** The service's parts over a database with a capture, and its environment for another process. */
async function openGround(ground: CaptureGround, schema: string, acknowledge: string[] = []) {
	const data = await mkdtemp(join(tmpdir(), 'reprieve-run-'))
	const env = {
		DATABASE_URL: ground.url,
		REPRIEVE_DATA: data,
		REPRIEVE_VAULT: ground.vaultUrl,
		REPRIEVE_LOG_LEVEL: 'silent',
	}
	await ground.sql.begin((tx) => tx.unsafe(`set local search_path = public; ${schema}`).simple())
	const services = await openServices(readConfig(env))
	await ground.start()
	for (const name of ['orders', 'notes']) {
		const found = await findTable(ground.sql, { schema: 'public', name })
		if (found) expect((await protectTable(ground.sql, found.oid, { acknowledge })).refusals).toEqual([])
	}
	await ground.sql`update reprieve.protected_tables set status = 'ready'`
	return {
		services,
		env,
		async [Symbol.asyncDispose]() {
			await services.close()
			await rm(data, { recursive: true, force: true })
		},
	}
}

test('receipts of a capture equal the seals: cascades, relinks and collateral', async () => {
	await using ground = await captureGround()
	await using open = await openGround(
		ground,
		`create table orders (id int primary key, kind text);
		create table lines (id int primary key, order_id int not null references orders on delete cascade);
		create index on lines (order_id);
		create table calls (id int primary key, order_id int references orders on delete set null);
		create table notes (id int primary key, order_id int);
		create function forget() returns trigger language plpgsql as 'begin delete from public.notes where order_id = old.id; return null; end';
		create trigger forget after delete on orders for each row execute function forget();
		insert into orders select n, case when n % 2 = 0 then 'old' end from generate_series(1, 1000) n;
		insert into lines select n, (n + 1) / 2 from generate_series(1, 2000) n;
		insert into calls select n, n from generate_series(1, 500) n;
		insert into notes select n, n from generate_series(1, 100) n`,
		['userTrigger:public.orders.forget'],
	)
	const { services } = open
	const plan = await createPlan(services, admin, { policy: old })
	const { id } = await startRun(services, admin, { planId: plan.id, reason: 'whole', batch: { rows: 400 } })
	const workers = await startWorkers(services, { pollMs: 50 })
	try {
		const run = await getRun(services, admin, { id, wait: 30 })
		expect(run.failure).toBeUndefined()
		expect(run).toMatchObject({ status: 'succeeded', deleted: 1500, relinked: 250, collateral: 50, archived: 1800 })
	} finally {
		await workers.stop()
	}
	expect(await archivedRows(ground.vault, 'orders')).toHaveLength(500)
	expect(await archivedRows(ground.vault, 'notes')).toHaveLength(50)
	expect((await archivedRows(ground.vault, 'calls')).every((row) => row.op === 'relink')).toBe(true)
	expect(await ground.sql`select code, message from reprieve.incidents`).toEqual([])
}, 60_000)

test('a run whose workers are killed at any moment deletes each planned row once and archives it once', async () => {
	await using ground = await captureGround()
	await using open = await openGround(
		ground,
		`create table orders (id int primary key, kind text);
		create table lines (id int primary key, order_id int not null references orders on delete cascade);
		create index on lines (order_id);
		insert into orders select n, case when n % 2 = 0 then 'old' end from generate_series(1, 3000) n;
		insert into lines select n, (n + 1) / 2 from generate_series(1, 6000) n`,
	)
	const { services } = open
	const plan = await createPlan(services, admin, { policy: old })
	const { id } = await startRun(services, admin, { planId: plan.id, reason: 'killed', batch: { rows: 100 } })
	for (let kill = 0; kill < 4; kill++) await workThenKill(open.env, kill, () => getRun(services, admin, { id }))
	expect((await getRun(services, admin, { id })).status).toBe('running')
	const workers = await startWorkers(services, { pollMs: 50 })
	try {
		const run = await getRun(services, admin, { id, wait: 60 })
		expect(run.failure).toBeUndefined()
		expect(run).toMatchObject({ status: 'succeeded', planned: 4_500, deleted: 4_500, archived: 4_500, drifted: 0 })
	} finally {
		await workers.stop()
	}
	await expectOnce(ground)
}, 180_000)

/** Starts workers in another process, lets them do some batches, and kills them in the middle of whatever they do. */
async function workThenKill(env: object, kill: number, read: () => Promise<{ batches: number }>): Promise<void> {
	const before = (await read()).batches
	const script = fileURLToPath(new URL('./child.ts', import.meta.url))
	const child: ChildProcess = spawn(process.execPath, [script, JSON.stringify(env)], { stdio: 'ignore' })
	const exited = once(child, 'exit')
	await until(async () => (await read()).batches > before + kill, 'some batches')
	child.kill('SIGKILL')
	await exited
}

async function expectOnce(ground: CaptureGround): Promise<void> {
	const [left] =
		await ground.sql`select count(*)::int as rows, count(*) filter (where kind = 'old')::int as old from public.orders`
	expect({ ...left }).toEqual({ rows: 1500, old: 0 })
	for (const [table, rows] of [
		['orders', 1500],
		['lines', 3000],
	] as const) {
		const ids = (await archivedRows(ground.vault, table)).map((row) => row.values.id)
		expect([ids.length, new Set(ids).size], table).toEqual([rows, rows])
	}
	const [batches] = await ground.sql`
		select sum(deleted)::int as deleted, count(*)::int = max(batch) as dense, bool_and(archived_at is not null) as archived,
			bool_and(from_unit = coalesce(before, 0) + 1) as gapless
		from (select *, lag(to_unit) over (order by batch) as before from reprieve.batches) b`
	expect({ ...batches }).toEqual({ deleted: 4_500, dense: true, archived: true, gapless: true })
	expect(await ground.sql`select code, message from reprieve.incidents`).toEqual([])
}
