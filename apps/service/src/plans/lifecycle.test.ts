import { type PlanStatus, planStatus } from '@reprieve/contracts'
import { expect, test } from 'vitest'
import { movePlan, type PlanEvent, planEvents, planTransitions } from './lifecycle.ts'

const allowed: Record<PlanEvent, Partial<Record<PlanStatus, PlanStatus>>> = {
	settle: { planning: 'ready' },
	fail: { planning: 'failed' },
	approve: { ready: 'approved', awaitingApproval: 'approved', approved: 'approved' },
	use: { ready: 'used', approved: 'used' },
	expire: { ready: 'expired', awaitingApproval: 'expired', approved: 'expired' },
	discard: {
		planning: 'discarded',
		ready: 'discarded',
		awaitingApproval: 'discarded',
		approved: 'discarded',
		expired: 'discarded',
		discarded: 'discarded',
		failed: 'discarded',
	},
}

for (const event of planEvents) {
	for (const status of planStatus.options) {
		const to = allowed[event][status]
		test(`${event} of a plan that is ${status} ${to ? `makes it ${to}` : 'is refused'}`, () => {
			if (to) {
				expect(movePlan('p', status, event)).toBe(to)
				expect(planTransitions[event][status]).toHaveProperty('why')
				return
			}
			const code = status === 'expired' ? 'PLAN_EXPIRED' : 'CONFLICT'
			expect(() => movePlan('p', status, event)).toThrow(expect.objectContaining({ code }))
		})
	}
}
