import { type JobStatus, ReprieveError } from '@reprieve/contracts'

/** What can happen to a run: a caller's command or a step of the worker that holds it. */
export const runEvents = ['claim', 'pause', 'resume', 'cancel', 'settle', 'finish', 'fail'] as const
export type RunEvent = (typeof runEvents)[number]

/** Where an event leads, or why it is refused there. */
export type Transition = { to: JobStatus; why: string } | { refused: string }

const over: Record<'cancelled' | 'succeeded' | 'failed', Transition> = {
	cancelled: { refused: 'it was cancelled' },
	succeeded: { refused: 'it has succeeded' },
	failed: { refused: 'it has failed' },
}
const unclaimed: Transition = { refused: 'no worker holds it' }

/** Every event in every status. */
export const transitions: Record<RunEvent, Record<JobStatus, Transition>> = {
	claim: {
		queued: { to: 'running', why: 'a worker took it' },
		running: { to: 'running', why: 'another worker takes over an expired lease' },
		pausing: { to: 'pausing', why: 'another worker settles what was asked' },
		paused: { refused: 'it waits for resume' },
		cancelling: { to: 'cancelling', why: 'another worker settles what was asked' },
		...over,
	},
	pause: {
		queued: { to: 'paused', why: 'nothing is under way' },
		running: { to: 'pausing', why: 'the batch under way ends first' },
		pausing: { to: 'pausing', why: 'already asked' },
		paused: { to: 'paused', why: 'already paused' },
		cancelling: { refused: 'it is being cancelled' },
		...over,
	},
	resume: {
		queued: { to: 'queued', why: 'already queued' },
		running: { to: 'running', why: 'already running' },
		pausing: { to: 'running', why: 'the request to pause is withdrawn' },
		paused: { to: 'queued', why: 'any worker may take it' },
		cancelling: { refused: 'it is being cancelled' },
		...over,
	},
	cancel: {
		queued: { to: 'cancelled', why: 'nothing is under way' },
		running: { to: 'cancelling', why: 'the batch under way ends first' },
		pausing: { to: 'cancelling', why: 'cancelling goes before pausing' },
		paused: { to: 'cancelled', why: 'nothing is under way' },
		cancelling: { to: 'cancelling', why: 'already asked' },
		...over,
		cancelled: { to: 'cancelled', why: 'already cancelled' },
	},
	settle: {
		queued: unclaimed,
		running: { refused: 'nothing was asked' },
		pausing: { to: 'paused', why: 'the worker stands between two batches' },
		paused: unclaimed,
		cancelling: { to: 'cancelled', why: 'the worker stands between two batches' },
		...over,
	},
	finish: {
		queued: unclaimed,
		running: { to: 'succeeded', why: 'every unit is done and every receipt is in' },
		pausing: { to: 'succeeded', why: 'nothing is left to pause' },
		paused: unclaimed,
		cancelling: { to: 'succeeded', why: 'nothing is left to cancel' },
		...over,
	},
	fail: {
		queued: { to: 'failed', why: 'its plan cannot be run' },
		running: { to: 'failed', why: 'a batch or a receipt shows that going on is unsafe' },
		pausing: { to: 'failed', why: 'a batch or a receipt shows that going on is unsafe' },
		paused: { to: 'failed', why: 'a receipt differs from its seal' },
		cancelling: { to: 'failed', why: 'a batch or a receipt shows that going on is unsafe' },
		...over,
	},
}

/** Statuses that no event leaves. */
export const finalStatuses: readonly JobStatus[] = ['cancelled', 'succeeded', 'failed']

/** Whether a run in this status is over. */
export function isFinal(status: JobStatus): boolean {
	return finalStatuses.includes(status)
}

/** Statuses in which an event leads somewhere: what an UPDATE may start from. */
export function statusesThatAllow(event: RunEvent): JobStatus[] {
	const row = transitions[event]
	return (Object.keys(row) as JobStatus[]).filter((status) => 'to' in row[status])
}

/** The status that an event leads to. Throws CONFLICT with the reason of a refusal. */
export function nextStatus(event: RunEvent, status: JobStatus): JobStatus {
	const transition = transitions[event][status]
	if ('to' in transition) return transition.to
	throw new ReprieveError('CONFLICT', `cannot ${event} a run that is ${status}: ${transition.refused}`)
}
