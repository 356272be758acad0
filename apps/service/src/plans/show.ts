import { type Plan, type PlanStatus, ReprieveError } from '@reprieve/contracts'
import { approvals, type ControlDatabase, type ControlTransaction, plans } from '@reprieve/control'
import { arrayLiteral } from '@reprieve/postgres'
import { eq, sql } from 'drizzle-orm'
import { requireTables } from '../access/grants.ts'
import type { Principal, Services } from '../context.ts'
import { usableStatuses } from './lifecycle.ts'

export type PlanRow = typeof plans.$inferSelect
type Database = ControlDatabase | ControlTransaction

/** The status that a plan has at a moment: a usable one whose time is up has expired. */
export function statusAt(plan: Pick<PlanRow, 'status' | 'expiresAt'>, now: Date): PlanStatus {
	const isUsable = (usableStatuses as readonly PlanStatus[]).includes(plan.status)
	return isUsable && Date.parse(plan.expiresAt) <= now.getTime() ? 'expired' : plan.status
}

/** Reads a plan that the principal may see. Throws NOT_FOUND or FORBIDDEN. */
export async function readPlan(db: Database, principal: Principal, id: string): Promise<PlanRow> {
	const [plan] = await db.select().from(plans).where(eq(plans.id, id)).prepare('plan').execute()
	return requirePlan(plan, principal, id)
}

/** Reads a plan and holds its row until the transaction ends. Throws NOT_FOUND or FORBIDDEN. */
export async function lockPlan(tx: ControlTransaction, principal: Principal, id: string): Promise<PlanRow> {
	const [plan] = await tx.select().from(plans).where(eq(plans.id, id)).for('update')
	return requirePlan(plan, principal, id)
}

function requirePlan(plan: PlanRow | undefined, principal: Principal, id: string): PlanRow {
	if (!plan) throw new ReprieveError('NOT_FOUND', `there is no plan ${id}`, { hint: 'List the plans, or make one.' })
	requireTables(principal, [plan.table, ...plan.dependents.map((dependent) => dependent.table)])
	return plan
}

/** Plans as programs outside see them, in the same order. */
export async function showPlans(services: Services, db: Database, rows: PlanRow[]): Promise<Plan[]> {
	if (rows.length === 0) return []
	const ids = arrayLiteral(rows.map((row) => row.id))
	const given = await db
		.select()
		.from(approvals)
		.where(sql`${approvals.planId} = any(${ids}::text::text[])`)
		.orderBy(approvals.at)
		.prepare('approvals')
		.execute()
	const now = services.clock.now()
	return rows.map((row) => ({
		id: row.id,
		hash: row.hash,
		status: statusAt(row, now),
		table: row.table,
		policy: row.policy,
		policyName: row.policyName ?? undefined,
		policyVersion: row.policyVersion ?? undefined,
		reason: row.reason ?? undefined,
		author: row.author,
		rows: row.rows,
		dependents: row.dependents,
		blocked: row.blocked,
		sample: row.sample,
		findings: row.findings,
		createdAt: row.createdAt,
		expiresAt: row.expiresAt,
		estimate: { seconds: row.estimateSeconds, bytes: row.estimateBytes },
		approvals: given.filter((each) => each.planId === row.id).map(({ principal, at }) => ({ principal, at })),
		runId: row.runId ?? undefined,
		failure: row.failure ?? undefined,
	}))
}

/** One plan as programs outside see it. */
export async function showPlan(services: Services, db: Database, row: PlanRow): Promise<Plan> {
	const [plan] = await showPlans(services, db, [row])
	return plan as Plan
}
