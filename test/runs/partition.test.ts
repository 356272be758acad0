import { protectNewLeaves } from '@reprieve/postgres'
import { expect, test } from 'vitest'
import { getRun } from '../../apps/service/src/runs/get.ts'
import { startRun } from '../../apps/service/src/runs/start.ts'
import { startWorkers } from '../../apps/service/src/runs/worker/loop.ts'
import { admin } from '../support/services.ts'
import { until } from '../support/wait.ts'
import { openShop } from './shop.ts'
import { countRows } from './single-batch.ts'

test('a run waits until a partition that came meanwhile is protected, and leaves a detached one alone', async () => {
	await using shop = await openShop(`create table events (id int primary key) partition by range (id);
		create table events_1 partition of events for values from (0) to (100);
		create table events_2 partition of events for values from (100) to (200);
		insert into events select n from generate_series(0, 199) n`)
	const { services, database } = shop
	await shop.protect('events')
	const planId = await shop.plan({ kind: 'match', table: 'events', where: { and: [] } })
	const { id } = await startRun(services, admin, { planId, reason: 'test' })
	await database.sql`create table public.events_3 partition of public.events for values from (200) to (300)`
	await database.sql`alter table public.events detach partition public.events_2`
	const workers = await startWorkers(services, { pollMs: 50 })
	try {
		await until(
			async () => (await getRun(services, admin, { id })).waiting?.reason === 'newPartition',
			'the run to wait',
		)
		expect(await countRows(shop, 'public.events')).toBe(100)
		expect(await protectNewLeaves(database.sql)).toEqual([])
		await database.sql`update reprieve.protected_tables set status = 'ready'`
		await until(async () => (await shop.archive()) > 0, 'a batch')
		expect(await getRun(services, admin, { id, wait: 10 })).toMatchObject({
			status: 'succeeded',
			deleted: 100,
			drifted: 100,
		})
		expect([await countRows(shop, 'public.events'), await countRows(shop, 'public.events_2')]).toEqual([0, 100])
	} finally {
		await workers.stop()
	}
})
