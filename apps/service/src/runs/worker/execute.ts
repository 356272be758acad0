import { ReprieveError, type Waiting } from '@reprieve/contracts'
import type { Services } from '../../context.ts'
import { checkPlan } from '../../plans/verify.ts'
import { type ClaimedRun, endRun, type RunState, readRunState, releaseRun } from './claim.ts'
import { type BatchLimits, deleteBatch } from './delete-batch.ts'
import { diskFull, isNameMissing, judgeFailure } from './failures.ts'
import { toFailure } from './finding.ts'
import type { GateClosed } from './gate.ts'
import {
	type Account,
	accountAt,
	type Before,
	type Moment,
	rowsOfOneSecond,
	rowsPerSecond,
	secondsToWindow,
	untilWithin,
} from './pace.ts'
import type { Places } from './places.ts'
import { type RunShape, readShape } from './shape.ts'
import { type BatchRange, nextBatchRows, nextRange } from './size.ts'
import { limitsOf, type Taken, type ThrottleLimits, takeReadings, throttle } from './throttle.ts'
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
type Hold = {
	services: Services
	run: ClaimedRun
	shape: RunShape
	options: ExecuteOptions
	attempts: number
	before?: Before
	account?: Account
}

/** What is there before the shape is read. */
type Base = Pick<Hold, 'services' | 'run' | 'options'>

/** What follows a turn: the run is out of this worker's hands, the next turn at once, or one in a while, maybe a long one. */
type Turn = 'over' | 'again' | { waitMs: number; isLong: boolean }

/**
 * Works a claimed run to its end, or until it is paused, cancelled, taken over or the signal is aborted. Everything that
 * matters is in the database: each turn begins by reading it, so a turn may end anywhere. What it waits for may be hours away,
 * its window above all: then it looks from time to time, and others have its place.
 */
export async function executeRun(services: Services, run: ClaimedRun, options: ExecuteOptions): Promise<void> {
	const { signal, wake, places } = options
	let hold: Hold | undefined
	const take = async (turn: (hold: Hold) => Promise<Turn>): Promise<Turn> => {
		try {
			hold ??= await openHold(services, run, options)
			return await turn(hold)
		} catch (error) {
			return await settle({ services, run, options }, hold, error)
		}
	}
	const work = async (): Promise<Turn> => {
		for (let next: Turn = 'again'; ; ) {
			if (next !== 'again') await wake.wait(next.waitMs, signal)
			if (signal.aborted) return 'again'
			next = await take(takeTurn)
			if (next === 'over' || (next !== 'again' && next.isLong)) return next
		}
	}
	const rest = async (next: Turn): Promise<Turn> => {
		while (typeof next === 'object' && !signal.aborted) {
			await wake.wait(next.waitMs, signal)
			next = await take(glance)
			if (next !== 'again') places.forget(run)
		}
		return next
	}
	try {
		while (!signal.aborted) {
			const next = (await places.tryUse(run, work)) ?? (await take(waitForOthers))
			if (next === 'over' || (await rest(next)) === 'over') return
		}
	} finally {
		places.forget(run)
	}
	await releaseRun(services, run.lease)
}

/** Takes the names that tables and columns have by now; throws why it cannot, and the error when none has changed. */
async function followNames(hold: Hold, error: unknown): Promise<void> {
	if (!isNameMissing(error)) throw error
	const { shape } = await openHold(hold.services, hold.run, hold.options)
	if (namesOf(shape) === namesOf(hold.shape)) throw error
	hold.shape = shape
}

function namesOf({ tables, read }: RunShape): string {
	return JSON.stringify([tables.map(({ source, key }) => [source, key]), read])
}

/** A run that was claimed before resumes: its plan's rows are compared with what was approved once more. */
async function openHold(services: Services, run: ClaimedRun, options: ExecuteOptions): Promise<Hold> {
	if (run.lease.epoch > 1) await checkPlan(services, run.planId)
	const shape = await readShape(services.pools.delete, run.body)
	return { services, run, shape, options, attempts: 0 }
}

async function waitForOthers(hold: Hold): Promise<Turn> {
	const { count } = hold.options.places
	return await pause(hold, { reason: 'otherRuns', reading: count, limit: count })
}

/** What a batch that may begin begins with. */
type Ready = { state: RunState; readings: Taken; now: Moment }

function isReady(seen: Turn | Ready): seen is Ready {
	return typeof seen === 'object' && 'state' in seen
}

/** Settles what was asked, finishes, or says what is waited for, whatever the next batch is; else it may begin. */
async function look(hold: Hold): Promise<Exclude<Turn, 'again'> | Ready> {
	const { services, run, shape } = hold
	const state = await readRunState(services, run.lease)
	if (state.status !== 'running') return await leave(hold, 'settle')
	if (!state.isLineageOpen) throw lineageClosed(run)
	const readings = await takeReadings(services, run.lease.runId, membersOf(shape))
	if (state.unit >= run.body.units) {
		if (readings.exposedBatches === 0) return await leave(hold, 'finish')
		return await pause(hold, { reason: 'receipts', reading: readings.exposedBatches, limit: 0 })
	}
	const now = { atMs: performance.now(), logBytes: readings.logBytes }
	settleAccount(hold, now)
	const waiting = throttleRun(hold, { readings, now, rows: 0 })
	return waiting ? await pause(hold, waiting, untilWithin(now, hold, run.throttle)) : { state, readings, now }
}

async function glance(hold: Hold): Promise<Turn> {
	const seen = await look(hold)
	return isReady(seen) ? 'again' : seen
}

/** One turn: what {@link look} does, then one batch. */
async function takeTurn(hold: Hold): Promise<Turn> {
	const { services, run, shape } = hold
	const seen = await look(hold)
	if (!isReady(seen)) return seen
	const { state, readings, now } = seen
	const aimed = rowsFor(hold, state)
	const range = await nextRange(services.pools.delete, shape, state.unit, aimed)
	if (!range) throw planEnded(run, state)
	const waiting = throttleRun(hold, { readings, now, rows: range.rows })
	if (waiting) return await pause(hold, waiting)
	await deleteOne(hold, { state, range, aimed, now }).catch((error: unknown) => followNames(hold, error))
	return 'again'
}

/** Tables with their partitions and children: it is those that a vacuum works on. */
function membersOf({ oids, families }: RunShape): number[] {
	return [...new Set([...oids, ...[...families.values()].flatMap((family) => [...family])])]
}

function throttleRun(
	{ services, run, options, before, account }: Hold,
	{ readings, now, rows }: { readings: Taken; now: Moment; rows: number },
): Waiting | undefined {
	const limits = { ...options.throttle, ...limitsOf(run.throttle), exposureRows: run.exposureRows }
	const rates = {
		rowsPerSecond: rowsPerSecond(now, before),
		logBytesPerSecond: (run.throttle.logBytesPerSecond ?? 0) - Math.min(0, account?.bytes ?? 0),
		secondsToWindow: secondsToWindow(run.throttle.window, services.clock.now()),
	}
	return throttle({ ...readings, ...rates }, limits, rows)
}

/** The first look behind a batch tells what its rows have written, before others have written more. */
function settleAccount(hold: Hold, now: Moment): void {
	const { before, account, run } = hold
	if (before) before.bytesPerRow ??= Math.max(1, (now.logBytes - before.logBytes) / Math.max(1, before.rows))
	const { logBytesPerSecond: limit } = run.throttle
	if (limit) hold.account = accountAt(now, account, { limit, own: (before?.bytesPerRow ?? 0) * (before?.rows ?? 0) })
}

/** A batch of half the window at most, so that the next one is deleted while this one is archived. */
function rowsFor({ run, before }: Hold, state: RunState): number {
	const most = Math.min(run.batchLimit, Math.floor(run.exposureRows / 2), rowsOfOneSecond(run.throttle, before))
	return Math.max(1, Math.min(state.batchRows, most))
}

type NextBatch = { state: RunState; range: BatchRange; aimed: number; now: Moment }

async function deleteOne(hold: Hold, { state, range, aimed, now: moment }: NextBatch): Promise<void> {
	const { services, run, shape, options } = hold
	const { lease, lineage, actor, reason } = run
	const batch = { lease, number: state.batches + 1, range, lineage, actor, reason }
	const began = performance.now()
	const done = await deleteBatch(services, shape, batch, options.batch)
	const milliseconds = Math.max(1, Math.round(performance.now() - began))
	hold.attempts = 0
	hold.before = { ...moment, rows: done.deleted + done.relinked + done.collateral }
	const now = { rows: range.rows, milliseconds, aimed, tables: shape.tables.length }
	const batchRows = nextBatchRows(now, run.targetMs, run.batchLimit)
	await saveSize(hold, batchRows)
	services.log.info({ run: lease.runId, batch: batch.number, ...done }, 'batch')
}

async function saveSize({ services, run }: Hold, batchRows: number): Promise<void> {
	await services.control.sql`
		update reprieve.runs r set batch_rows = ${batchRows}, rows_per_second = (
			select sum(b.deleted) / greatest(extract(epoch from max(b.at) - min(b.at) + min(b.milliseconds) * interval '1 ms'), 0.001)
			from (select * from reprieve.batches b where b.run_id = r.id order by b.batch desc limit 20) b)
		where id = ${run.lease.runId} and epoch = ${run.lease.epoch}`
}

async function leave({ services, run }: Hold, event: 'settle' | 'finish'): Promise<'over'> {
	await endRun(services, run.lease, event)
	return 'over'
}

/** Says why the run waits: until something happens, or for `soonMs` where that is known. */
async function pause({ services, run, options }: Base, waiting: Waiting, soonMs = 0): Promise<Exclude<Turn, string>> {
	const text = JSON.stringify(waiting)
	await services.control.sql`
		update reprieve.runs set waiting = ${text}::text::jsonb
		where id = ${run.lease.runId} and epoch = ${run.lease.epoch} and waiting is distinct from ${text}::text::jsonb`
	const isLong = waiting.reason === 'window' || waiting.reason === 'vacuum'
	return { waitMs: soonMs > 0 ? Math.min(soonMs, options.pollMs) : options.pollMs, isLong }
}

/** The verdict on an error may meet with an error of its own, such as no connection: then that one is judged. */
async function settle(base: Base, hold: Hold | undefined, error: unknown): Promise<Turn> {
	return await settleError(base, hold, error).catch((second: unknown) => settleError(base, hold, second))
}

/** Obeys the verdict on an error. */
async function settleError(base: Base, hold: Hold | undefined, error: unknown): Promise<Turn> {
	const { services, run, options } = base
	const verdict = judgeFailure(error)
	services.log.warn({ run: run.lease.runId, verdict, err: error }, 'batch rolled back')
	if (verdict === 'leave') return 'over'
	if (verdict === 'reconnect') return { waitMs: options.pollMs, isLong: false }
	if (verdict === 'gate') return await pause(base, gateWaiting(error as GateClosed))
	if (verdict === 'wait') return await pause(base, diskFull)
	if (verdict === 'retry' && hold && ++hold.attempts < options.attempts) return await retry(hold)
	const failure = toFailure(error)
	const tries = verdict === 'retry' ? { message: `${options.attempts} attempts failed: ${failure.message}` } : {}
	await endRun(services, run.lease, 'fail', { ...failure, ...tries })
	return 'over'
}

function gateWaiting(closed: GateClosed): Waiting {
	return { reason: closed.findings[0]?.code ?? 'gate', reading: closed.findings.length, limit: 0 }
}

/** Half the rows and a pause that doubles: contention is somebody else's work. */
async function retry(hold: Hold): Promise<Turn> {
	const { services, run, options, attempts } = hold
	await services.control.sql`
		update reprieve.runs set batch_rows = greatest(1, batch_rows / 2),
			waiting = ${JSON.stringify({ reason: 'contention', reading: attempts, limit: options.attempts })}::text::jsonb
		where id = ${run.lease.runId} and epoch = ${run.lease.epoch}`
	return { waitMs: Math.min(options.pollMs * 10, 20 * 2 ** attempts), isLong: false }
}

function lineageClosed(run: ClaimedRun): ReprieveError {
	return new ReprieveError('CAPTURE_GAP', `the run belongs to lineage ${run.lineage}, which is closed`, {
		hint: 'What it deleted without a receipt may lie in the recorded gap. Make a new plan.',
	})
}

function planEnded(run: ClaimedRun, state: RunState): ReprieveError {
	return new ReprieveError('PLAN_DRIFTED', `the plan has ${run.body.units} units, its rows end at unit ${state.unit}`, {
		hint: 'The plan tables were changed; make a new plan.',
	})
}
