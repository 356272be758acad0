import type { Plan, planDiscardInput } from '@reprieve/contracts'
import { plans } from '@reprieve/control'
import { eq } from 'drizzle-orm'
import type { z } from 'zod'
import type { Principal, Services } from '../context.ts'
import { dropPlanRows } from './drop-rows.ts'
import { movePlan } from './lifecycle.ts'
import { lockPlan, showPlan, statusAt } from './show.ts'

/** Gives a plan up and drops its rows; doing it again changes nothing. Throws CONFLICT for a used plan, NOT_FOUND, FORBIDDEN. */
export async function discardPlan(
	services: Services,
	principal: Principal,
	input: z.infer<typeof planDiscardInput>,
): Promise<Plan> {
	const plan = await services.control.db.transaction(async (tx) => {
		const row = await lockPlan(tx, principal, input.id)
		const status = movePlan(row.id, statusAt(row, services.clock.now()), 'discard')
		await tx.update(plans).set({ status }).where(eq(plans.id, row.id))
		return await showPlan(services, tx, { ...row, status })
	})
	await dropPlanRows(services.pools.plan, plan.id)
	return plan
}
