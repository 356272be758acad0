import { ReprieveError, type Waiting } from '@reprieve/contracts'
import { type ClaimedRun, type RunState, readRunState } from './claim.ts'
import { deleteBatch } from './delete-batch.ts'
import { followNames, type Hold, leave, pause, type Turn } from './hold.ts'
import { accountAt, type Moment, rowsOfOneSecond, rowsPerSecond, secondsToWindow, untilWithin } from './pace.ts'
import type { RunShape } from './shape.ts'
import { type BatchRange, nextBatchRows, nextRange } from './size.ts'
import { limitsOf, type Taken, takeReadings, throttle } from './throttle.ts'

export async function waitForOthers(hold: Hold): Promise<Turn> {
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

export async function glance(hold: Hold): Promise<Turn> {
	const seen = await look(hold)
	return isReady(seen) ? 'again' : seen
}

/** One turn: what {@link look} does, then one batch. */
export async function takeTurn(hold: Hold): Promise<Turn> {
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
