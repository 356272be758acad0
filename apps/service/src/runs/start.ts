import { randomUUID } from 'node:crypto'
import { type Finding, ReprieveError, type Run, type runStartInput } from '@reprieve/contracts'
import { approvals, type ControlTransaction, type PlanBody, plans, runs } from '@reprieve/control'
import { readRestorability } from '@reprieve/postgres'
import { and, eq, notInArray, sql } from 'drizzle-orm'
import type { z } from 'zod'
import type { Principal, Services } from '../context.ts'
import { movePlan } from '../plans/lifecycle.ts'
import { ruleFindings } from '../plans/rules.ts'
import { lockPlan, type PlanRow, readPlan, statusAt } from '../plans/show.ts'
import { verifyPlanRows } from '../plans/verify.ts'
import { finalStatuses } from './lifecycle.ts'
import { findRun, toRun } from './show.ts'

type RunnablePlan = PlanRow & { body: PlanBody }
type StartInput = z.infer<typeof runStartInput>

/** Rows of the first batch, and the most that a batch grows to, when the caller names none. */
const firstBatchRows = 2_000
const largestBatchRows = 100_000
const defaultTargetMs = 500

/**
 * Queues the one run of a plan. Throws NOT_FOUND, PLAN_EXPIRED, APPROVAL_REQUIRED, PLAN_DRIFTED (edited plan tables,
 * or a plan of a closed lineage), NOT_RESTORABLE, LIMIT_EXCEEDED (a unit larger than the window), CONFLICT (used, or its table has a run).
 * Where there is a run of this id already, it answers that one.
 */
export async function startRun(
	services: Services,
	principal: Principal,
	input: StartInput,
	id: string = randomUUID(),
): Promise<Run> {
	const made = await findRun(services, principal, id)
	if (made) return toRun(made)
	const seen = requireUsable(services, await readPlan(services.control.db, principal, input.planId))
	requireWindow(services, seen, input)
	await requireLineage(services, seen)
	await requireRestorable(services, seen)
	await verifyPlanRows(services, seen).catch(async (error: unknown) => {
		// Who discards a plan drops its rows: that is the reason then.
		requireUsable(services, await readPlan(services.control.db, principal, input.planId))
		throw error
	})
	return await services.control.db.transaction(async (tx) => {
		const plan = requireUsable(services, await lockPlan(tx, principal, input.planId))
		requireSame(seen, plan)
		await requireApproval(tx, plan)
		await requireIdleTable(tx, plan)
		const [row] = await tx
			.insert(runs)
			.values(newRun(services, principal, { id, plan, input }))
			.returning()
		if (!row) throw new ReprieveError('INTERNAL', 'the run was not stored')
		await tx
			.update(plans)
			.set({ status: movePlan(plan.id, plan.status, 'use'), runId: row.id })
			.where(eq(plans.id, plan.id))
		await tx.execute(sql`select pg_notify('reprieve_runs', ${row.id})`)
		return toRun(row)
	})
}

/** A plan that may lead to a run now, with its rows. */
function requireUsable(services: Services, plan: PlanRow): RunnablePlan {
	const status = statusAt(plan, services.clock.now())
	if (status === 'awaitingApproval') throw approvalRequired(plan)
	movePlan(plan.id, status, 'use')
	if (plan.body) return { ...plan, body: plan.body }
	throw new ReprieveError('INTERNAL', `plan ${plan.id} is ${status} and has no body`)
}

/** What is stored is what was checked. */
function requireSame(seen: RunnablePlan, plan: RunnablePlan): void {
	if (plan.hash === seen.hash && plan.rowsHash === seen.rowsHash) return
	throw new ReprieveError('PLAN_DRIFTED', `plan ${seen.id} changed while its run was being started`, {
		planId: seen.id,
	})
}

async function requireApproval(tx: ControlTransaction, plan: RunnablePlan): Promise<void> {
	if (plan.status !== 'approved') return
	const [approval] = await tx
		.select()
		.from(approvals)
		.where(and(eq(approvals.planId, plan.id), eq(approvals.hash, plan.hash)))
		.limit(1)
	if (!approval) throw approvalRequired(plan)
}

function approvalRequired(plan: PlanRow): ReprieveError {
	return new ReprieveError('APPROVAL_REQUIRED', `plan ${plan.id} is not approved under its hash ${plan.hash}`, {
		hint: 'Let an approver who is not its author approve it.',
		planId: plan.id,
	})
}

function windowOf(services: Services, input: StartInput): number {
	return input.exposure?.rows ?? services.limits.exposureRows
}

function requireWindow(services: Services, plan: RunnablePlan, input: StartInput): void {
	const exposureRows = windowOf(services, input)
	if (plan.body.largestUnit <= exposureRows) return
	throw new ReprieveError(
		'LIMIT_EXCEEDED',
		`${plan.body.largestUnit} rows must go in one batch, the exposure window is ${exposureRows} rows`,
		{ hint: `Start the run with exposure.rows of at least ${plan.body.largestUnit}, or narrow the policy.` },
	)
}

/** A database that was rewound, cloned or upgraded has other rows, and receipts of another lineage. */
async function requireLineage(services: Services, plan: RunnablePlan): Promise<void> {
	const open = await services.lineage()
	if (open === plan.lineage) return
	throw new ReprieveError('PLAN_DRIFTED', `plan ${plan.id} belongs to lineage ${plan.lineage}, ${open} is open`, {
		hint: 'Make a new plan.',
		planId: plan.id,
	})
}

async function requireRestorable(services: Services, plan: RunnablePlan): Promise<void> {
	const oids = [...new Set([plan.tableOid, ...plan.body.tables.map((table) => table.oid)])]
	const answers = await readRestorability(services.pools.plan, oids)
	const gone = oids.filter((oid) => !answers.has(oid)).map((oid) => dropped(plan, oid))
	const rules = await ruleFindings(services.pools.plan, plan.body)
	const findings = [...gone, ...rules, ...[...answers.values()].flatMap((answer) => answer.findings)]
	if (findings.length === 0) return
	const once = [...new Map(findings.map((finding) => [finding.message, finding])).values()]
	throw new ReprieveError('NOT_RESTORABLE', once.map((finding) => finding.message).join('; '), {
		hint: once[0]?.remedy,
		issues: once.map((finding) => ({
			path: finding.table ?? plan.table,
			message: `${finding.code}: ${finding.message}`,
		})),
		planId: plan.id,
	})
}

function dropped(plan: RunnablePlan, oid: number): Finding {
	const table = plan.body.tables.find((planned) => planned.oid === oid)?.table ?? plan.table
	return { code: 'dropped', table, message: `${table} does not exist any more`, remedy: 'Make a new plan.' }
}

/** One run at a time on a table, paused ones included: two would make each other's rows drift. */
async function requireIdleTable(tx: ControlTransaction, plan: RunnablePlan): Promise<void> {
	await tx.execute(sql`select pg_advisory_xact_lock(hashtext('reprieve.run'), ${plan.tableOid | 0})`)
	const [busy] = await tx
		.select({ id: runs.id, status: runs.status })
		.from(runs)
		.innerJoin(plans, eq(plans.id, runs.planId))
		.where(and(eq(plans.tableOid, plan.tableOid), notInArray(runs.status, [...finalStatuses])))
		.limit(1)
	if (!busy) return
	throw new ReprieveError('CONFLICT', `${plan.table} has run ${busy.id}, which is ${busy.status}`, {
		hint: 'Wait for it, or cancel it.',
		retryable: true,
	})
}

function newRun(
	services: Services,
	principal: Principal,
	{ id, plan, input }: { id: string; plan: RunnablePlan; input: StartInput },
): typeof runs.$inferInsert {
	const batchLimit = input.batch?.rows ?? largestBatchRows
	return {
		id,
		planId: plan.id,
		status: 'queued',
		table: plan.table,
		reason: input.reason,
		actor: principal.name,
		planned: plan.body.tables.reduce((total, table) => total + table.rows, 0),
		batchRows: Math.min(firstBatchRows, batchLimit),
		batchLimit,
		targetMs: input.batch?.targetMs ?? defaultTargetMs,
		exposureRows: windowOf(services, input),
		throttle: input.throttle,
		createdAt: services.clock.now().toISOString(),
	}
}
