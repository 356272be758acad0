import type { Waiting } from '@reprieve/contracts'
import { endRun } from './claim.ts'
import { diskFull, judgeFailure } from './failures.ts'
import { toFailure } from './finding.ts'
import type { GateClosed } from './gate.ts'
import { type Base, type Hold, pause, type Turn } from './hold.ts'

/** The verdict on an error may meet with an error of its own, such as no connection: then that one is judged. */
export async function settle(base: Base, hold: Hold | undefined, error: unknown): Promise<Turn> {
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
