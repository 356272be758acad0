import type { Policy } from '@reprieve/contracts'
import { expect, test } from 'vitest'
import { getRun } from '../../apps/service/src/runs/get.ts'
import { startRun } from '../../apps/service/src/runs/start.ts'
import { startWorkers } from '../../apps/service/src/runs/worker/loop.ts'
import { admin } from '../support/services.ts'
import { until } from '../support/wait.ts'
import { openShop, type Shop } from './shop.ts'

const schema = `
	create table people (id int primary key, kind text);
	create table orders (id int primary key, seller int constraint orders_seller references people on delete set null,
		buyer int constraint orders_buyer references people on delete set null);
	create index on orders (seller); create index on orders (buyer);
	insert into people select n, case when n <= 20 then 'old' else 'new' end from generate_series(1, 30) n;
	insert into orders values (1, 1, 20), (2, 2, null), (3, null, 19), (4, 3, 30), (5, 30, 4), (6, 30, 29), (7, 5, 5)`

const old: Policy = { kind: 'match', table: 'people', where: { column: 'kind', op: 'eq', value: 'old' } }

test('a row that two foreign keys set null is relinked once, however far its parents are apart', async () => {
	await using shop = await openShop(schema)
	await shop.protect('people')
	const run = await runOld(shop)
	expect(run).toMatchObject({ status: 'succeeded', deleted: 20, relinked: 6, drifted: 0 })
	const rows = await shop.database.sql`select id, seller, buyer from public.orders order by id`
	expect(rows.map(({ id, seller, buyer }) => [id, seller, buyer])).toEqual([
		[1, null, null],
		[2, null, null],
		[3, null, null],
		[4, null, 30],
		[5, 30, null],
		[6, 30, 29],
		[7, null, null],
	])
})

test('the seconds of a plan follow from the rates of the runs before, by their median', async () => {
	await using shop = await openShop(schema)
	await shop.protect('people')
	const seconds = async () => {
		const id = await shop.plan(old)
		return (
			await shop.services.control.sql`select estimate_seconds::float8 as s from reprieve.plans where id = ${id}`
		)[0]?.s
	}
	expect(await seconds()).toBe(1)
	await runOld(shop)
	await shop.database.sql`insert into public.people select n, 'old' from generate_series(101, 150) n`
	await shop.database.sql`update reprieve.runs set rows_per_second = 5`
	expect(await seconds()).toBe(10)
})

async function runOld(shop: Shop) {
	const planId = await shop.plan(old)
	const { id } = await startRun(shop.services, admin, { planId, reason: 'test', batch: { rows: 2 } })
	const workers = await startWorkers(shop.services, { pollMs: 50 })
	try {
		return await until(async () => {
			await shop.archive()
			const run = await getRun(shop.services, admin, { id })
			return run.finishedAt !== undefined && run
		}, 'the run')
	} finally {
		await workers.stop()
	}
}
