import { randomUUID } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { formatTableName, type Plan, type planCreateInput, ReprieveError } from '@reprieve/contracts'
import { plans } from '@reprieve/control'
import { eq } from 'drizzle-orm'
import type { z } from 'zod'
import { requireTables } from '../access/grants.ts'
import type { Principal, Services } from '../context.ts'
import { resolvePolicy } from '../policies/resolve.ts'
import { checkPolicy } from './check-policy.ts'
import { makePlan } from './make.ts'
import { type PlanRow, readPlan, showPlan } from './show.ts'
import { takeUpPlan } from './take-up.ts'

/** Milliseconds after which the answer is a plan that is still being made. */
const answerWithinMs = 20_000
const forgetTries = 5

/**
 * Makes a plan of a policy. Answers within 20 s: what takes longer goes on as status `planning`. A refusal leaves no
 * plan. Where there is a plan of this id already, it answers that one, made anew when its making was cut off. Throws INVALID,
 * NOT_FOUND, FORBIDDEN, CONFLICT, LIMIT_EXCEEDED or UNAVAILABLE.
 */
export async function createPlan(
	services: Services,
	principal: Principal,
	input: z.infer<typeof planCreateInput>,
	options: { answerWithinMs?: number; id?: string } = {},
): Promise<Plan> {
	const id = options.id ?? randomUUID()
	const before = await takeUpPlan(services, principal, id)
	if (before) return before
	const named = await resolvePolicy(services, principal, input.policy)
	requireTables(principal, [named.policy.table])
	const { root } = await checkPolicy(services.pools.plan, named.policy)
	requireTables(principal, [formatTableName(root)])
	const row = await insertPlan(services, principal, { ...named, id, reason: input.reason, root })
	const making = makePlan(services, principal, row)
	const error = await settledWithin(making, options.answerWithinMs ?? answerWithinMs)
	if (error) {
		await forgetPlan(services, row.id)
		throw error
	}
	return showPlan(services, services.control.db, await readPlan(services.control.db, principal, row.id))
}

type NewPlan = Awaited<ReturnType<typeof resolvePolicy>> & {
	id: string
	reason: string | undefined
	root: { oid: number; schema: string; name: string }
}

async function insertPlan(services: Services, principal: Principal, plan: NewPlan): Promise<PlanRow> {
	const now = services.clock.now().getTime()
	const [row] = await services.control.db
		.insert(plans)
		.values({
			id: plan.id,
			lineage: await services.lineage(),
			hash: '',
			status: 'planning',
			table: formatTableName(plan.root),
			tableOid: plan.root.oid,
			policy: plan.policy,
			policyName: plan.name,
			policyVersion: plan.version,
			reason: plan.reason,
			author: principal.id,
			rows: 0,
			dependents: [],
			blocked: 0,
			sample: [],
			findings: [],
			estimateSeconds: 0,
			estimateBytes: 0,
			createdAt: new Date(now).toISOString(),
			expiresAt: new Date(now + services.limits.planMinutes * 60_000).toISOString(),
		})
		.returning()
	if (!row) throw new ReprieveError('INTERNAL', 'the plan was not stored')
	return row
}

/**
 * A refusal leaves no plan. What ended the making, a restart of the server for one, may end the first tries of this too;
 * then the plan stays, as failed.
 */
async function forgetPlan(services: Services, id: string): Promise<void> {
	for (let tried = 0; tried < forgetTries; tried++) {
		if (tried > 0) await sleep(100 * 2 ** (tried - 1))
		try {
			await services.control.db.delete(plans).where(eq(plans.id, id))
			return
		} catch (err) {
			services.log.warn({ err, plan: id }, 'a refused plan could not be removed yet')
		}
	}
}

/** The failure, when there is one in time; the making never rejects. */
async function settledWithin(making: Promise<ReprieveError | undefined>, ms: number) {
	const { promise: late, resolve } = Promise.withResolvers<undefined>()
	const timer = setTimeout(() => resolve(undefined), ms)
	try {
		return await Promise.race([making, late])
	} finally {
		clearTimeout(timer)
	}
}
