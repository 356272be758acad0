import { ReprieveError } from '@reprieve/contracts'
import { GateClosed } from './gate.ts'
import { LeaseLost } from './record.ts'

/** What a failed batch asks of its loop. */
export type Verdict = 'leave' | 'gate' | 'retry' | 'reconnect' | 'fail'

/** Serialization failure, deadlock, lock timeout, statement timeout: nothing was changed, the same may succeed. */
const retried: ReadonlySet<string> = new Set(['40001', '40P01', '55P03', '57014'])
/** The connection ended; whether the batch committed is in the run's row. */
const disconnected = /^(08...|57P0[123]|CONNECTION_.*|CONNECT_TIMEOUT|ECONN.*|EPIPE|ETIMEDOUT)$/

/** Tells what an error of a batch means. */
export function judgeFailure(error: unknown): Verdict {
	if (error instanceof LeaseLost) return 'leave'
	if (error instanceof GateClosed) return 'gate'
	if (error instanceof ReprieveError) return 'fail'
	const code = String((error as { code?: unknown }).code ?? '')
	if (retried.has(code)) return 'retry'
	return disconnected.test(code) ? 'reconnect' : 'fail'
}
