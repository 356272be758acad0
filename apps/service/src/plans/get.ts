import type { Plan, planGetInput } from '@reprieve/contracts'
import type { z } from 'zod'
import type { Principal, Services } from '../context.ts'
import { readPlan, showPlan } from './show.ts'

const pollMs = 200

/** One plan; with `wait`, when it is made or the seconds are up. Throws NOT_FOUND or FORBIDDEN. */
export async function getPlan(
	services: Services,
	principal: Principal,
	input: z.infer<typeof planGetInput>,
): Promise<Plan> {
	const deadline = Date.now() + (input.wait ?? 0) * 1000
	for (;;) {
		const plan = await readPlan(services.control.db, principal, input.id)
		if (plan.status !== 'planning' || Date.now() >= deadline) return showPlan(services, services.control.db, plan)
		await new Promise((resolve) => setTimeout(resolve, Math.min(pollMs, deadline - Date.now())))
	}
}
