import { ReprieveError } from '@reprieve/contracts'
import { plans } from '@reprieve/control'
import { readRestorability } from '@reprieve/postgres'
import { and, eq, sql } from 'drizzle-orm'
import { requireTables } from '../access/grants.ts'
import type { Principal, Services } from '../context.ts'
import { refuseCrossing } from './conflict.ts'
import { dropPlanRows, rowsPrefix } from './drop-rows.ts'
import { type Evaluation, evaluatePolicy, touchedTables } from './evaluate/evaluate.ts'
import { toFailure, toPlanError } from './failure.ts'
import { digestRows, hashPlan } from './hash.ts'
import { livenessLock, lockLiveness } from './liveness.ts'
import { ruleFindings } from './rules.ts'
import type { PlanRow } from './show.ts'

/**
 * Evaluates a plan's policy in one snapshot, then settles it among the other open plans. Never rejects: answers the
 * failure, which the plan's row keeps. After a crash the row stays `planning` until the sweep finds nobody at it.
 */
export async function makePlan(
	services: Services,
	principal: Principal,
	plan: PlanRow,
): Promise<ReprieveError | undefined> {
	try {
		const evaluation = await evaluate(services, principal, plan)
		const rowsHash = await digest(services, plan, evaluation)
		await settlePlan(services, plan, { ...evaluation, rowsHash })
		return undefined
	} catch (thrown) {
		const error = toPlanError(thrown)
		services.log.warn({ err: thrown, plan: plan.id, code: error.code }, 'a plan could not be made')
		await abandonPlan(services, plan, error).catch((err: unknown) => services.log.error({ err, plan: plan.id }))
		return error
	}
}

async function evaluate(services: Services, principal: Principal, plan: PlanRow): Promise<Evaluation> {
	const options = { prefix: rowsPrefix(plan.id), limit: services.limits.planRows }
	const answer = await services.pools.plan.begin('isolation level repeatable read', async (tx) => {
		await tx.unsafe(livenessLock, [plan.id])
		const evaluation = await evaluatePolicy(tx, plan.policy, options)
		requireTables(principal, touchedTables(evaluation))
		return evaluation
	})
	return answer as Evaluation
}

/**
 * The digest of the rows once they are committed: whoever reads a row first then marks it so. Done now that is free; after the
 * next checkpoint, in the run, each page so marked would be logged whole where the cluster has checksums.
 */
async function digest(services: Services, plan: PlanRow, { body, total }: Evaluation): Promise<string> {
	const found = await services.pools.plan.begin('read only', async (tx) => {
		await tx.unsafe(livenessLock, [plan.id])
		return await digestRows(tx, body.tables)
	})
	if (found.rows === total) return found.hash
	throw new ReprieveError('CONFLICT', `plan ${plan.id} holds ${found.rows} rows, written were ${total}`, {
		hint: 'The rows of the plan were changed while it was made. Make it again.',
	})
}

type Digested = Evaluation & { rowsHash: string }

/** One plan after the other, so that of two that cross each other the second is refused. */
async function settlePlan(services: Services, plan: PlanRow, evaluation: Digested): Promise<void> {
	await services.control.db.transaction(async (tx) => {
		await tx.execute(lockLiveness(plan.id))
		const findings = await readFindings(services, evaluation)
		await tx.execute(sql`select pg_advisory_xact_lock(hashtext('reprieve.plans'), 0)`)
		await refuseCrossing(services, tx, { id: plan.id, body: evaluation.body })
		const settled = await tx
			.update(plans)
			.set({ ...toColumns(services, plan, evaluation), findings })
			.where(and(eq(plans.id, plan.id), eq(plans.status, 'planning')))
			.returning({ id: plans.id })
		if (settled.length === 0) throw new ReprieveError('CONFLICT', `plan ${plan.id} was discarded while it was made`)
	})
}

function toColumns(services: Services, plan: PlanRow, evaluation: Digested) {
	const { body, rowsHash, rows, total, blocked, dependents, sample, estimate } = evaluation
	const { approvalRows } = services.limits
	const status = approvalRows > 0 && total > approvalRows ? ('awaitingApproval' as const) : ('ready' as const)
	const { policy, lineage } = plan
	return {
		status,
		hash: hashPlan({ policy, undoes: null, lineage, rowsHash, rows, blocked, dependents, body }),
		body,
		rowsHash,
		rows,
		blocked,
		dependents,
		sample,
		estimateSeconds: estimate.seconds,
		estimateBytes: estimate.bytes,
	}
}

/** Findings of every table touched, told once. */
async function readFindings(services: Services, evaluation: Evaluation): Promise<PlanRow['findings']> {
	const oids = [...new Set(evaluation.body.tables.map((table) => table.oid))]
	const answers = await readRestorability(services.pools.plan, oids)
	const rules = await ruleFindings(services.pools.plan, evaluation.body)
	const findings = [...rules, ...[...answers.values()].flatMap((answer) => answer.findings)]
	return [...new Map(findings.map((finding) => [`${finding.code} ${finding.message}`, finding])).values()]
}

async function abandonPlan(services: Services, plan: PlanRow, error: ReprieveError): Promise<void> {
	await services.control.db
		.update(plans)
		.set({ status: 'failed', failure: toFailure(error) })
		.where(and(eq(plans.id, plan.id), eq(plans.status, 'planning')))
	await dropPlanRows(services.pools.plan, plan.id)
}
