import { type JobStatus, ReprieveError } from '@reprieve/contracts'
import { type RunEvent, transitions } from '../runs/lifecycle.ts'

/** What can happen to a restore: the same as to a run, by the same table. */
export type RestoreEvent = RunEvent

/** The status that an event leads to. Throws CONFLICT with the reason of a refusal. */
export function nextRestoreStatus(event: RestoreEvent, status: JobStatus): JobStatus {
	const transition = transitions[event][status]
	if ('to' in transition) return transition.to
	throw new ReprieveError('CONFLICT', `cannot ${event} a restore that is ${status}: ${transition.refused}`)
}
