import { type Plan, type planApproveInput, ReprieveError } from '@reprieve/contracts'
import { approvals, type ControlTransaction, plans } from '@reprieve/control'
import { eq, sql } from 'drizzle-orm'
import type { z } from 'zod'
import type { Principal, Services } from '../context.ts'
import { movePlan } from './lifecycle.ts'
import { lockPlan, type PlanRow, showPlan, statusAt } from './show.ts'

/**
 * Records a principal's consent to one plan hash; doing it again changes nothing. Throws PLAN_DRIFTED for another hash,
 * PLAN_EXPIRED, CONFLICT, NOT_FOUND, FORBIDDEN, and SELF_APPROVAL where four eyes are required and the approver's key
 * comes from the author's, or both from one.
 */
export async function approvePlan(
	services: Services,
	principal: Principal,
	input: z.infer<typeof planApproveInput>,
): Promise<Plan> {
	return await services.control.db.transaction(async (tx) => {
		const plan = await lockPlan(tx, principal, input.id)
		const status = movePlan(plan.id, statusAt(plan, services.clock.now()), 'approve')
		requireHash(plan, input.hash)
		if (plan.status === 'awaitingApproval') await requireAnother(tx, principal, plan)
		const at = services.clock.now().toISOString()
		await tx
			.insert(approvals)
			.values({ planId: plan.id, principal: principal.id, hash: plan.hash, at })
			.onConflictDoNothing()
		await tx.update(plans).set({ status }).where(eq(plans.id, plan.id))
		return await showPlan(services, tx, { ...plan, status })
	})
}

function requireHash(plan: PlanRow, hash: string): void {
	if (plan.hash === hash) return
	throw new ReprieveError('PLAN_DRIFTED', `the hash given is ${hash}, plan ${plan.id} has ${plan.hash}`, {
		hint: 'Look at the plan again, and approve the hash that it shows.',
		planId: plan.id,
	})
}

async function requireAnother(tx: ControlTransaction, principal: Principal, plan: PlanRow): Promise<void> {
	const author = await readChain(tx, plan.author)
	const shared = principal.chain.find((id) => author.includes(id))
	if (shared === undefined) return
	throw new ReprieveError(
		'SELF_APPROVAL',
		`the author ${plan.author} and the approver ${principal.id} both go back to ${shared}`,
		{ hint: 'Let somebody approve whose key was not made by the author or for the same person.', planId: plan.id },
	)
}

/** The author's key and the keys that made it. */
async function readChain(tx: ControlTransaction, author: string): Promise<string[]> {
	const rows = await tx.execute<{ id: string }>(sql`
		with recursive chain(id) as (
			select ${author}::text union select k.created_by from chain c join reprieve.api_keys k on k.id = c.id)
		select id from chain`)
	return rows.map((row) => row.id)
}
