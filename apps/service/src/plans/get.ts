import type { Plan, planGetInput } from '@reprieve/contracts'
import type { z } from 'zod'
import type { Principal, Services } from '../context.ts'
import { waitFor } from '../wait.ts'
import { readPlan, showPlan } from './show.ts'

/** One plan; with `wait`, when it is made or the seconds are up. Throws NOT_FOUND or FORBIDDEN. */
export async function getPlan(
	services: Services,
	principal: Principal,
	input: z.infer<typeof planGetInput>,
): Promise<Plan> {
	const { db } = services.control
	const isMade = (plan: { status: string }) => plan.status !== 'planning'
	return await showPlan(services, db, await waitFor(() => readPlan(db, principal, input.id), isMade, input.wait))
}
