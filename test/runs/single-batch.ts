import { scanRows } from '../../apps/service/src/plans/scan-rows.ts'
import { startRun } from '../../apps/service/src/runs/start.ts'
import { type ClaimedRun, claimRun } from '../../apps/service/src/runs/worker/claim.ts'
import { type BatchDone, deleteBatch } from '../../apps/service/src/runs/worker/delete-batch.ts'
import { readShape } from '../../apps/service/src/runs/worker/shape.ts'
import { admin } from '../support/services.ts'
import type { Shop } from './shop.ts'

const quickLimits = { lockTimeoutMs: 5_000, statementTimeoutMs: 20_000, idleTimeoutMs: 60_000 }

/** Starts the run of a plan and takes it, as a worker would. */
export async function claimPlan(shop: Shop, planId: string, leaseMs = 60_000): Promise<ClaimedRun> {
	await startRun(shop.services, admin, { planId, reason: 'test' })
	const run = await claimRun(shop.services, 'test', leaseMs)
	if (!run) throw new Error('the run could not be claimed')
	return run
}

/** Deletes units of a claimed run as its first batch; all of them by default. */
export async function deleteUnits(shop: Shop, run: ClaimedRun, to = run.body.units): Promise<BatchDone> {
	const { lease, lineage, actor, reason, body } = run
	const shape = await readShape(shop.services.pools.delete, body)
	const range = { from: 1, to, rows: await countPlanned(shop, run, to) }
	const batch = { lease, number: 1, range, lineage, actor, reason }
	return deleteBatch(shop.services, shape, batch, quickLimits)
}

/** Planned rows of the units up to one. */
export async function countPlanned(shop: Shop, { body }: ClaimedRun, to: number): Promise<number> {
	const counts = await Promise.all(
		body.tables.map((table) => countRows(shop, `${scanRows(table)} p where unit <= ${to}`)),
	)
	return counts.reduce((sum, count) => sum + count, 0)
}

/** Plan's id to its one batch. */
export async function deletePlan(shop: Shop, planId: string): Promise<BatchDone> {
	return deleteUnits(shop, await claimPlan(shop, planId))
}

/** Why rows stayed, by table and key value. */
export async function readDrifted(shop: Shop): Promise<string[]> {
	const rows = await shop.database.sql<{ text: string }[]>`
		select "table" || ' ' || (select string_agg(value, ',') from jsonb_each_text(key)) || ' ' || why as text
		from reprieve.drifted_rows order by 1`
	return rows.map((row) => row.text)
}

/** Whether a session of the delete pool waits for a lock. */
export async function isBatchWaiting({ database }: Shop): Promise<boolean> {
	const [row] = await database.sql<{ waiting: boolean }[]>`
		select exists (select from pg_stat_activity
			where application_name = 'test delete' and wait_event_type = 'Lock' and datname = current_database()) as waiting`
	return row?.waiting === true
}

export async function countRows({ database }: Shop, table: string): Promise<number> {
	const [row] = await database.sql.unsafe<{ rows: number }[]>(`select count(*)::int as rows from ${table}`)
	return row?.rows ?? 0
}
