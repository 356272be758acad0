import { randomUUID } from 'node:crypto'
import { type Finding, type Policy, ReprieveError } from '@reprieve/contracts'
import { type PlanBody, type PlannedTable, plans, restores } from '@reprieve/control'
import { and, eq, sql } from 'drizzle-orm'
import { requireTables } from '../access/grants.ts'
import type { Principal, Services } from '../context.ts'
import { idOf } from '../idempotency/id.ts'
import { refuseCrossing } from '../plans/conflict.ts'
import { dropPlanRows, rowsPrefix } from '../plans/drop-rows.ts'
import { digestRows, hashPlan } from '../plans/hash.ts'
import { isFinal } from '../runs/lifecycle.ts'
import { type RestoreRow, readRestore } from './read.ts'
import { writeBackOverwritten } from './undo/overwritten.ts'
import { writeUndoRows } from './undo/plan-rows.ts'

/**
 * Plans the deletion of what a restore brought back, at the versions that it wrote, and queues the restore that writes
 * overwritten images back. The plan is run like any other. Idempotent: a second call answers the same plan. Throws
 * NOT_FOUND, FORBIDDEN, CONFLICT while the restore goes on, ARCHIVE_LAGGING.
 */
export async function undoRestore(
	services: Services,
	principal: Principal,
	input: { id: string },
	planId: string = randomUUID(),
): Promise<{ planId: string; runId?: string }> {
	const restore = await readRestore(services, input.id)
	const tables = restore.cursor?.tables ?? []
	requireTables(
		principal,
		tables.map((table) => table.name),
	)
	if (restore.undoPlanId && (await isUsable(services, restore.undoPlanId))) return { planId: restore.undoPlanId }
	if (!isFinal(restore.status)) {
		throw new ReprieveError('CONFLICT', `cannot undo a restore that is ${restore.status}`, {
			hint: 'Cancel it, or wait until it has ended.',
		})
	}
	const overwriting = { id: restore.id, reason: restore.reason, tables, backId: idOf([planId, 'overwritten']) }
	const findings = changedFinding(await writeBackOverwritten(services, principal, overwriting))
	return { planId: await planUndo(services, principal, { id: planId, restore, tables, findings }) }
}

/** A plan that expired or was given up undoes nothing any more: another is made in its place. */
async function isUsable(services: Services, planId: string): Promise<boolean> {
	const [plan] = await services.control.db.select({ status: plans.status }).from(plans).where(eq(plans.id, planId))
	return plan !== undefined && !['expired', 'discarded', 'failed'].includes(plan.status)
}

function changedFinding(rows: number): Finding[] {
	if (rows === 0) return []
	return [
		{
			code: 'overwrittenChanged',
			message: `${rows} rows that the restore overwrote have changed since and stay as they are`,
			remedy: 'Look for their images in the archive.',
		},
	]
}

type Undo = { id: string; restore: RestoreRow; tables: { name: string; oid: number }[]; findings: Finding[] }

async function planUndo(services: Services, principal: Principal, undo: Undo): Promise<string> {
	const { id } = undo
	try {
		return await services.control.db.transaction(async (holding) => {
			// The sweep leaves the rows of a plan that somebody is at, though no plan names them yet.
			await holding.execute(sql`select pg_advisory_xact_lock(hashtext('reprieve.plan'), hashtext(${id}::text))`)
			await dropPlanRows(services.pools.plan, id)
			const { body, rowsHash } = await writeRows(services, undo)
			return await insertPlan(services, principal, { ...undo, body, rowsHash })
		})
	} catch (error) {
		await dropPlanRows(services.pools.plan, id)
		throw error
	}
}

async function writeRows(services: Services, { id, restore, tables }: Undo) {
	return await services.pools.plan.begin('isolation level repeatable read', async (tx) => {
		const body = await writeUndoRows(tx, { restoreId: restore.id, prefix: rowsPrefix(id), tables })
		return { body, rowsHash: (await digestRows(tx, body.tables)).hash }
	})
}

type NewPlan = Undo & { body: PlanBody; rowsHash: string }

async function insertPlan(services: Services, principal: Principal, plan: NewPlan): Promise<string> {
	const { id, body, rowsHash, restore } = plan
	const lineage = await services.lineage()
	const values = {
		...toColumns(services, plan, lineage),
		id,
		lineage,
		body,
		rowsHash,
		author: principal.id,
		undoes: restore.id,
	}
	return await services.control.db.transaction(async (tx) => {
		await tx.execute(sql`select pg_advisory_xact_lock(hashtext('reprieve.plans'), 0)`)
		await refuseCrossing(services, tx, { id, body })
		const first = await tx
			.update(restores)
			.set({ undoPlanId: id })
			.where(and(eq(restores.id, restore.id), sql`${restores.undoPlanId} is not distinct from ${restore.undoPlanId}`))
			.returning({ id: restores.id })
		if (first.length === 0)
			throw new ReprieveError('CONFLICT', `restore ${restore.id} is being undone`, { retryable: true })
		await tx.insert(plans).values(values)
		return id
	})
}

function toColumns(services: Services, { restore, tables, body, rowsHash, findings }: NewPlan, lineage: string) {
	const now = services.clock.now().getTime()
	const deletes = body.tables.filter((table) => table.action === 'delete')
	const rows = sum(deletes)
	const total = sum(body.tables)
	const root = deletes[0] ?? { table: tables[0]?.name ?? '', oid: tables[0]?.oid ?? 0 }
	const policy: Policy = { kind: 'match', table: root.table, where: { and: [] } }
	const dependents = body.tables
		.filter((table) => table !== root)
		.map((table) => ({ table: table.table, action: table.action, rows: table.rows }))
	const { approvalRows } = services.limits
	return {
		hash: hashPlan({ policy, undoes: restore.id, lineage, rowsHash, rows, blocked: 0, dependents, body }),
		status: approvalRows > 0 && total > approvalRows ? ('awaitingApproval' as const) : ('ready' as const),
		table: root.table,
		tableOid: root.oid,
		policy,
		reason: `undo of restore ${restore.id}: ${restore.reason}`,
		rows,
		dependents,
		blocked: 0,
		sample: [],
		findings,
		estimateSeconds: total / 10_000,
		estimateBytes: 0,
		createdAt: new Date(now).toISOString(),
		expiresAt: new Date(now + services.limits.planMinutes * 60_000).toISOString(),
	}
}

function sum(tables: PlannedTable[]): number {
	return tables.reduce((total, table) => total + table.rows, 0)
}
