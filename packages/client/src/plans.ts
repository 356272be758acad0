import { answer, type Raw } from './connect.ts'
import type { Page, Plan, PlanList, PlanListInput, PlanRows, PolicyInput } from './contract.ts'

type PolicyReference = { name: string; version?: number }

/** Plans: the exact rows that a policy matched at one moment. */
export type Plans = {
	/** Resolves when the plan is made, however long that takes; `policy` inline or by name. Nothing is deleted. */
	create(policy: PolicyInput | PolicyReference, options?: { reason?: string; idempotencyKey?: string }): Promise<Plan>
	get(id: string): Promise<Plan>
	list(input?: PlanListInput): Promise<PlanList>
	/** The planned rows by key, dependents included. */
	rows(id: string, page?: Page): Promise<PlanRows>
	/** Consents to exactly what was shown: `hash` is the plan's. */
	approve(plan: { id: string; hash: string }): Promise<Plan>
	discard(id: string): Promise<Plan>
}

/** The plans' calls over a raw client. */
export function plansOf(trpc: Raw): Plans {
	return {
		create: async (policy, options = {}) =>
			whenPlanned(trpc, await answer(trpc.plans.create.mutate({ policy, ...options }))),
		get: (id) => answer(trpc.plans.get.query({ id })),
		list: (input = {}) => answer(trpc.plans.list.query(input)),
		rows: (id, page = {}) => answer(trpc.plans.rows.query({ id, ...page })),
		approve: ({ id, hash }) => answer(trpc.plans.approve.mutate({ id, hash })),
		discard: (id) => answer(trpc.plans.discard.mutate({ id })),
	}
}

async function whenPlanned(trpc: Raw, plan: Plan): Promise<Plan> {
	let current = plan
	while (current.status === 'planning') current = await answer(trpc.plans.get.query({ id: plan.id, wait: 20 }))
	return current
}
