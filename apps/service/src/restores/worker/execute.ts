import { setTimeout as sleep } from 'node:timers/promises'
import { type Failure, ReprieveError, type Waiting } from '@reprieve/contracts'
import { NotStraight, type RestoreCursor } from '@reprieve/restore'
import { requireKnownVault } from '../../archive/known.ts'
import type { Services } from '../../context.ts'
import { diskFull, isDiskFull, isPassing, judgeFailure } from '../../runs/worker/failures.ts'
import { RestoreLeaseLost } from './batch.ts'
import { type ClaimedRestore, endRestore, type RestoreLease, readHeld, releaseRestore } from './claim.ts'
import { type Flight, openFlight, overlap } from './flight.ts'
import { endFormerSessions } from './sessions.ts'

/** Tries of one batch against contention and lost connections; milliseconds of the first pause between two, which doubles, and of the longest. */
export type Patience = { attempts: number; pauseMs: number; longestPauseMs: number }

/** Where somebody else locks the same rows in another order all the time, two of three tries may end in a deadlock. */
export const usualPatience: Patience = { attempts: 24, pauseMs: 200, longestPauseMs: 2_000 }
const contentionHint =
	'Nothing of the batch was written, what came back before it stays. Restore again when what was in the way is gone: rows that are back are left as they are.'
/** Milliseconds between two looks whether a full disk has room again, or the database or the vault is there again. */
const roomMs = 1_000
/** Why a restore waits until the vault answers again. */
const vaultAway: Waiting = { reason: 'vaultUnavailable', reading: 1, limit: 0 }

/** One restore in one worker's hands; `tried` counts failures of the batch under way, `isStaged` is as a batch's context has it. */
type Hold = {
	services: Services
	claimed: ClaimedRestore
	patience: Patience
	tried: number
	isStaged: boolean
	next?: Flight
}

/**
 * Works a claimed restore to its end, or until it is paused, cancelled, taken over or the signal is aborted. A turn may end
 * anywhere: the next one begins by reading where the restore stands.
 */
export async function executeRestore(
	services: Services,
	claimed: ClaimedRestore,
	signal: AbortSignal,
	patience = usualPatience,
): Promise<void> {
	const hold: Hold = { services, claimed, patience, tried: 0, isStaged: false }
	if (claimed.lease.epoch > 1) await endFormerSessions(services, claimed.lease.id)
	try {
		while (!signal.aborted) {
			const pause = await takeTurn(hold).catch((error: unknown) => pauseWithout(hold, error))
			if (pause === undefined) return
			if (pause > 0) await sleep(pause, undefined, { signal }).catch(() => {})
		}
	} finally {
		await giveUpNext(hold)
	}
	await releaseRestore(services, claimed.lease)
}

/** One turn: ends the restore, or brings one batch back. Answers the pause before the next; undefined when there is none. */
async function takeTurn(hold: Hold): Promise<number | undefined> {
	const { services, claimed } = hold
	const { lease } = claimed
	const held = await readHeld(services, lease)
	if (!held) return undefined
	const isDone = held.cursor.done >= held.cursor.batches
	if (held.status !== 'running' || isDone) {
		await giveUpNext(hold)
		await endRestore(services, lease, held.status === 'running' ? 'finish' : 'settle')
		return undefined
	}
	try {
		await requireKnownVault(services)
		await runBatch(hold, held.cursor)
		hold.tried = 0
		return 0
	} catch (error) {
		return await settleError(hold, error)
	}
}

/** What a failed batch leads to; answers as {@link takeTurn}. */
async function settleError(hold: Hold, error: unknown): Promise<number | undefined> {
	const { services, claimed, patience } = hold
	const { lease } = claimed
	await giveUpNext(hold)
	if (error instanceof RestoreLeaseLost) return undefined
	if (error instanceof NotStraight) {
		services.log.info({ why: error.message, restore: lease.id }, 'the restore goes on through stages')
		hold.isStaged = true
		return 0
	}
	const waiting = isDiskFull(error) ? diskFull : isVaultAway(error) ? vaultAway : undefined
	if (waiting) {
		services.log.warn({ err: error, reason: waiting.reason, restore: lease.id }, 'the restore waits')
		await tellWaiting(services, lease, waiting)
		return roomMs
	}
	if (mayPass(error) && ++hold.tried < patience.attempts) return await tryAgain(hold, error)
	services.log.error({ err: error, restore: lease.id }, 'the restore failed')
	await endRestore(services, lease, 'fail', toFailure(error, hold.tried))
	return undefined
}

/** Tells that somebody is in the way, and answers the pause before the next try. */
async function tryAgain({ services, claimed, patience, tried }: Hold, error: unknown): Promise<number> {
	const { lease } = claimed
	const { attempts, pauseMs, longestPauseMs } = patience
	services.log.warn({ err: error, restore: lease.id, tried, attempts }, 'a batch is tried again')
	if (judgeFailure(error) === 'retry')
		await tellWaiting(services, lease, { reason: 'contention', reading: tried, limit: attempts })
	return Math.min(pauseMs * 2 ** (tried - 1), longestPauseMs)
}

/** The restore could not be read or written between two batches: it stays in this worker's hands while that may pass. */
function pauseWithout({ services, claimed }: Hold, error: unknown): number {
	if (!isDiskFull(error) && !mayPass(error)) throw error
	services.log.warn({ err: error, restore: claimed.lease.id }, 'the restore could not be looked at, tried again')
	return roomMs
}

async function tellWaiting(services: Services, lease: RestoreLease, waiting: Waiting): Promise<void> {
	await services.control.sql`
		update reprieve.restores set waiting = ${JSON.stringify(waiting)}::text::jsonb
		where id = ${lease.id} and epoch = ${lease.epoch}`
}

async function runBatch(hold: Hold, cursor: RestoreCursor): Promise<void> {
	const { services, claimed, isStaged } = hold
	const batch = cursor.done + 1
	const began = performance.now()
	const flight = hold.next?.batch === batch ? hold.next : openFlight(services, claimed, { cursor, batch, isStaged })
	delete hold.next
	flight.take()
	const done = flight.begin()
	if (batch < cursor.batches) {
		hold.next = openFlight(services, claimed, { cursor, batch: batch + 1, isStaged, behind: flight })
		// What is tried again may have waited for a row of the one beside it, which waits for its turn.
		if (hold.tried === 0) overlap(flight, hold.next)
	}
	const counts = await done
	const rows = [...counts.values()].reduce((sum, table) => sum + table.restored + table.relinked, 0)
	const ms = Math.round(performance.now() - began)
	services.log.info({ restore: claimed.lease.id, batch, rows, ms }, 'restored a batch')
}

async function giveUpNext(hold: Hold): Promise<void> {
	const { next } = hold
	delete hold.next
	await next?.giveUp()
}

/** Nothing was lost by it, and it lasts until the store answers, or lets us in. */
function isVaultAway(error: unknown): boolean {
	return error instanceof ReprieveError && error.code === 'VAULT_UNAVAILABLE' && error.retryable
}

/** Contention and lost connections pass, and so may what calls itself retryable; everything else is for an operator. */
function mayPass(error: unknown): boolean {
	return error instanceof ReprieveError ? error.retryable : isPassing(error)
}

function toFailure(error: unknown, tried: number): Failure {
	if (error instanceof ReprieveError) {
		return { code: error.code, message: error.message, ...(error.hint ? { hint: error.hint } : {}) }
	}
	const message = error instanceof Error ? error.message : String(error)
	if (!isPassing(error)) return { code: 'INTERNAL', message }
	return { code: 'UNAVAILABLE', message: `${tried} attempts failed: ${message}`, hint: contentionHint }
}
