import { ReprieveError, type Waiting } from '@reprieve/contracts'
import { databaseError, isOutage } from '../../outage.ts'
import { GateClosed } from './gate.ts'
import { LeaseLost } from './record.ts'

/** What a failed batch asks of its loop. */
export type Verdict = 'leave' | 'gate' | 'retry' | 'wait' | 'reconnect' | 'fail'

/**
 * Serialization failure, deadlock, lock timeout, statement timeout, out of memory, and the server's own limits on
 * a transaction (a process that was stopped for a minute meets them): nothing was changed, the same may succeed.
 */
const retried: ReadonlySet<string> = new Set([
	'40001',
	'40P01',
	'55P03',
	'57014',
	'53000',
	'53200',
	'25P03',
	'25P04',
	'57P05',
])

/** Contention, or no connection: tried again, the same may succeed. */
export function isPassing(error: unknown): boolean {
	return retried.has(codeOf(error)) || isOutage(codeOf(error))
}

function codeOf(error: unknown): string {
	return databaseError(error)?.code ?? ''
}

/** The server's disk is full: nothing was changed, and it lasts until somebody makes room. */
export function isDiskFull(error: unknown): boolean {
	return codeOf(error) === '53100'
}

/** Why a job waits until somebody makes room. */
export const diskFull: Waiting = { reason: 'diskFull', reading: 1, limit: 0 }

/** A table or column was renamed or dropped since its name was read. */
export function isNameMissing(error: unknown): boolean {
	return ['42P01', '42703'].includes(codeOf(error))
}

/** Tells what an error of a batch means. */
export function judgeFailure(error: unknown): Verdict {
	if (error instanceof LeaseLost) return 'leave'
	if (error instanceof GateClosed) return 'gate'
	if (error instanceof ReprieveError) return 'fail'
	if (retried.has(codeOf(error))) return 'retry'
	if (isDiskFull(error)) return 'wait'
	// Whether the batch committed is in the run's row.
	return isOutage(codeOf(error)) ? 'reconnect' : 'fail'
}
