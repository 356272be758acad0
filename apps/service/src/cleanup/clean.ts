import { randomUUID } from 'node:crypto'
import {
	type cleanupInput,
	type Plan,
	type Policy,
	type PolicyKind,
	ReprieveError,
	type Run,
} from '@reprieve/contracts'
import type { z } from 'zod'
import type { Principal, Services } from '../context.ts'
import { idOf } from '../idempotency/id.ts'
import { createPlan } from '../plans/create.ts'
import { discardPlan } from '../plans/discard.ts'
import { getPlan } from '../plans/get.ts'
import { findRun, toRun } from '../runs/show.ts'
import { startRun } from '../runs/start.ts'
import { findGoingRun } from './going.ts'

type Input<K extends PolicyKind> = z.infer<(typeof cleanupInput)[K]>

/** Longest that one look at a plan in the making waits, in seconds. */
const lookSeconds = 60

/**
 * Plans and runs in one call: the plan when `dryRun`, else the run. Without an idempotency key, the run of the same
 * policy that is still going on, if there is one. Throws APPROVAL_REQUIRED with the plan to approve; after any other
 * refusal no plan is left.
 */
export async function cleanUp<K extends PolicyKind>(
	services: Services,
	principal: Principal,
	{ kind, input, id = randomUUID() }: { kind: K; input: Input<K>; id?: string },
): Promise<Run | Plan> {
	const { reason, dryRun, idempotencyKey, ...fields } = input
	// The schemas of the one-call forms are the policy's own fields without its kind, so that both together are one.
	const policy = { kind, ...fields } as unknown as Policy
	if (dryRun) return createPlan(services, principal, { policy, reason }, { id })
	const made = await findRun(services, principal, id)
	if (made) return toRun(made)
	const isRepeatable = idempotencyKey === undefined
	const going = isRepeatable ? await findGoingRun(services, principal, policy) : undefined
	if (going) return going
	try {
		return await planAndRun(services, principal, {
			id,
			policy,
			reason: reason ?? `${kind} clean-up of ${policy.table}`,
		})
	} catch (error) {
		const isRaced = isRepeatable && error instanceof ReprieveError && error.code === 'CONFLICT'
		const other = isRaced ? await findGoingRun(services, principal, policy) : undefined
		if (other) return other
		throw error
	}
}

/** The run gets the id; the plan one that follows from it, so that the same call cut off goes on with the same plan. */
async function planAndRun(
	services: Services,
	principal: Principal,
	{ id, policy, reason }: { id: string; policy: Policy; reason: string },
): Promise<Run> {
	const begun = await createPlan(services, principal, { policy, reason }, { id: idOf([id, 'plan']) })
	const plan = await finishedPlan(services, principal, begun)
	if (plan.status === 'awaitingApproval') {
		throw new ReprieveError('APPROVAL_REQUIRED', `${plan.rows} rows of ${plan.table} need another's approval`, {
			hint: `Let an approver approve plan ${plan.id}, then start its run.`,
			planId: plan.id,
		})
	}
	try {
		return await startRun(services, principal, { planId: plan.id, reason }, id)
	} catch (error) {
		await discardPlan(services, principal, { id: plan.id }).catch((err) => {
			services.log.warn({ err, planId: plan.id }, 'the plan of a refused clean-up was not discarded')
		})
		throw error
	}
}

async function finishedPlan(services: Services, principal: Principal, begun: Plan): Promise<Plan> {
	let plan = begun
	while (plan.status === 'planning') plan = await getPlan(services, principal, { id: plan.id, wait: lookSeconds })
	if (plan.status !== 'failed') return plan
	const { code, message, hint } = plan.failure ?? { code: 'INTERNAL', message: `plan ${plan.id} failed` }
	throw new ReprieveError(code as ReprieveError['code'], message, { hint, planId: plan.id })
}
