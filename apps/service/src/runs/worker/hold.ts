import type { Waiting } from '@reprieve/contracts'
import type { Services } from '../../context.ts'
import { checkPlan } from '../../plans/verify.ts'
import { type ClaimedRun, endRun } from './claim.ts'
import type { BatchLimits } from './delete-batch.ts'
import { isNameMissing } from './failures.ts'
import type { Account, Before } from './pace.ts'
import type { Places } from './places.ts'
import { type RunShape, readShape } from './shape.ts'
import type { limitsOf, ThrottleLimits } from './throttle.ts'
import type { Wake } from './wake.ts'

/** How a worker goes about a run. */
export type ExecuteOptions = {
	batch: BatchLimits
	throttle: Omit<ThrottleLimits, 'exposureRows' | keyof ReturnType<typeof limitsOf>>
	/** Times that one batch is tried against contention. */
	attempts: number
	/** The longest pause before something that is waited for is looked at again. */
	pollMs: number
	wake: Wake
	/** Where batches are deleted: who waits for long holds none. */
	places: Places
	/** Aborted when the worker stops or the lease is lost. */
	signal: AbortSignal
}

/** One run in one worker's hands; `attempts` counts failures of the batch under way. Rates begin anew in other hands. */
export type Hold = {
	services: Services
	run: ClaimedRun
	shape: RunShape
	options: ExecuteOptions
	attempts: number
	before?: Before
	account?: Account
}

/** What is there before the shape is read. */
export type Base = Pick<Hold, 'services' | 'run' | 'options'>

/** What follows a turn: the run is out of this worker's hands, the next turn at once, or one in a while, maybe a long one. */
export type Turn = 'over' | 'again' | { waitMs: number; isLong: boolean }

/** Takes the names that tables and columns have by now; throws why it cannot, and the error when none has changed. */
export async function followNames(hold: Hold, error: unknown): Promise<void> {
	if (!isNameMissing(error)) throw error
	const { shape } = await openHold(hold.services, hold.run, hold.options)
	if (namesOf(shape) === namesOf(hold.shape)) throw error
	hold.shape = shape
}

function namesOf({ tables, read }: RunShape): string {
	return JSON.stringify([tables.map(({ source, key }) => [source, key]), read])
}

/** A run that was claimed before resumes: its plan's rows are compared with what was approved once more. */
export async function openHold(services: Services, run: ClaimedRun, options: ExecuteOptions): Promise<Hold> {
	if (run.lease.epoch > 1) await checkPlan(services, run.planId)
	const shape = await readShape(services.pools.delete, run.body)
	return { services, run, shape, options, attempts: 0 }
}

export async function leave({ services, run }: Hold, event: 'settle' | 'finish'): Promise<'over'> {
	await endRun(services, run.lease, event)
	return 'over'
}

/** Says why the run waits: until something happens, or for `soonMs` where that is known. */
export async function pause(
	{ services, run, options }: Base,
	waiting: Waiting,
	soonMs = 0,
): Promise<Exclude<Turn, string>> {
	const text = JSON.stringify(waiting)
	await services.control.sql`
		update reprieve.runs set waiting = ${text}::text::jsonb
		where id = ${run.lease.runId} and epoch = ${run.lease.epoch} and waiting is distinct from ${text}::text::jsonb`
	const isLong = waiting.reason === 'window' || waiting.reason === 'vacuum'
	return { waitMs: soonMs > 0 ? Math.min(soonMs, options.pollMs) : options.pollMs, isLong }
}
