import type { Policy } from '@reprieve/contracts'
import { expect, test } from 'vitest'
import { getRun } from '../../apps/service/src/runs/get.ts'
import { startRun } from '../../apps/service/src/runs/start.ts'
import { startWorkers } from '../../apps/service/src/runs/worker/loop.ts'
import { admin } from '../support/services.ts'
import { until } from '../support/wait.ts'
import { openShop, type Shop } from './shop.ts'
import { countRows } from './single-batch.ts'

const schema = `create table items (id int primary key, kind text);
	insert into items select n, 'old' from generate_series(1, 300) n`
const policy: Policy = { kind: 'match', table: 'items', where: { and: [] } }

/** What adopting does to the control schema. */
async function openAnotherLineage({ database }: Shop): Promise<void> {
	await database.sql`update reprieve.lineages set closed_at = now()`
	await database.sql`
		insert into reprieve.lineages (id, system_identifier, database_oid, slot, timeline, opened_at)
		select 'other', system_identifier, database_oid, slot, timeline, now() from reprieve.lineages`
	await database.sql`update reprieve.capture_state set lineage = 'other'`
}

test('a plan of a closed lineage cannot be run', async () => {
	await using shop = await openShop(schema)
	await shop.protect('items')
	const planId = await shop.plan(policy)
	await openAnotherLineage(shop)
	await expect(startRun(shop.services, admin, { planId, reason: 'test' })).rejects.toMatchObject({
		code: 'PLAN_DRIFTED',
	})
	expect(await countRows(shop, 'public.items')).toBe(300)
})

test('a run whose lineage is closed ends instead of waiting for receipts that cannot come', async () => {
	await using shop = await openShop(schema)
	await shop.protect('items')
	const planId = await shop.plan(policy)
	const { id } = await startRun(shop.services, admin, { planId, reason: 'test', exposure: { rows: 100 } })
	const workers = await startWorkers(shop.services, { pollMs: 50 })
	try {
		await until(
			async () => (await getRun(shop.services, admin, { id })).waiting?.reason === 'exposure',
			'the run to fill its window',
		)
		await openAnotherLineage(shop)
		const run = await getRun(shop.services, admin, { id, wait: 5 })
		expect(run).toMatchObject({ status: 'failed', failure: { code: 'CAPTURE_GAP' } })
		expect(await countRows(shop, 'public.items')).toBe(300 - run.deleted)
	} finally {
		await workers.stop()
	}
})
