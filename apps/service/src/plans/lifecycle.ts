import { type PlanStatus, ReprieveError } from '@reprieve/contracts'

/** What can happen to a plan. */
export const planEvents = ['settle', 'fail', 'approve', 'use', 'expire', 'discard'] as const
export type PlanEvent = (typeof planEvents)[number]

/** Where an event leads, or why it is refused there. */
export type PlanTransition = { to: PlanStatus; why: string } | { refused: string }

const over: Record<'used' | 'expired' | 'discarded' | 'failed', PlanTransition> = {
	used: { refused: 'it has had its run' },
	expired: { refused: 'it expired' },
	discarded: { refused: 'it was discarded' },
	failed: { refused: 'it failed' },
}
const unmade: PlanTransition = { refused: 'it is still being made' }
const made: PlanTransition = { refused: 'it is made already' }

/** Every event in every status. */
export const planTransitions: Record<PlanEvent, Record<PlanStatus, PlanTransition>> = {
	settle: {
		planning: { to: 'ready', why: 'its rows are written; awaitingApproval where four eyes are required' },
		ready: made,
		awaitingApproval: made,
		approved: made,
		...over,
	},
	fail: {
		planning: { to: 'failed', why: 'the policy could not be evaluated' },
		ready: made,
		awaitingApproval: made,
		approved: made,
		...over,
	},
	approve: {
		planning: unmade,
		ready: { to: 'approved', why: 'a principal consents to its hash' },
		awaitingApproval: { to: 'approved', why: 'somebody else than its author consents to its hash' },
		approved: { to: 'approved', why: 'one more principal consents' },
		...over,
	},
	use: {
		planning: unmade,
		ready: { to: 'used', why: 'its run starts' },
		awaitingApproval: { refused: 'it awaits approval' },
		approved: { to: 'used', why: 'its run starts' },
		...over,
	},
	expire: {
		planning: unmade,
		ready: { to: 'expired', why: 'its time is up' },
		awaitingApproval: { to: 'expired', why: 'its time is up' },
		approved: { to: 'expired', why: 'its time is up' },
		...over,
	},
	discard: {
		planning: { to: 'discarded', why: 'its rows are dropped when they are written' },
		ready: { to: 'discarded', why: 'nobody wants it any more' },
		awaitingApproval: { to: 'discarded', why: 'nobody wants it any more' },
		approved: { to: 'discarded', why: 'nobody wants it any more' },
		used: { refused: 'it has had its run' },
		expired: { to: 'discarded', why: 'nobody wants it any more' },
		discarded: { to: 'discarded', why: 'already discarded' },
		failed: { to: 'discarded', why: 'nobody wants it any more' },
	},
}

/** Statuses in which a plan can still lead to a run. */
export const usableStatuses = ['ready', 'awaitingApproval', 'approved'] as const satisfies PlanStatus[]

/** The status that an event leads to. Throws PLAN_EXPIRED for an expired plan, CONFLICT for any other refusal. */
export function movePlan(id: string, status: PlanStatus, event: PlanEvent): PlanStatus {
	const transition = planTransitions[event][status]
	if ('to' in transition) return transition.to
	const code = status === 'expired' ? 'PLAN_EXPIRED' : 'CONFLICT'
	throw new ReprieveError(code, `plan ${id} cannot ${event}: ${transition.refused}`, {
		hint: status === 'planning' ? 'Wait until it is made.' : 'Make a new plan.',
		retryable: status === 'planning',
	})
}
