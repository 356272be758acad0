import { setTimeout as sleep } from 'node:timers/promises'
import { type Failure, ReprieveError } from '@reprieve/contracts'
import { NotStraight, type RestoreCursor } from '@reprieve/restore'
import type { Services } from '../../context.ts'
import { diskFull, isDiskFull, isPassing } from '../../runs/worker/failures.ts'
import { RestoreLeaseLost } from './batch.ts'
import { type ClaimedRestore, endRestore, type RestoreLease, readHeld, releaseRestore } from './claim.ts'
import { type Flight, openFlight, overlap } from './flight.ts'
import { endFormerSessions } from './sessions.ts'

/** Tries of one batch against contention and absent storage, and the first pause between two; it doubles. */
const attempts = 8
const pauseMs = 100
/** Milliseconds between two looks whether a full disk has room again, or the database is there again. */
const roomMs = 1_000

/** One restore in one worker's hands; `tried` counts failures of the batch under way, `isStaged` is as a batch's context has it. */
type Hold = { services: Services; claimed: ClaimedRestore; tried: number; isStaged: boolean; next?: Flight }

/**
 * Works a claimed restore to its end, or until it is paused, cancelled, taken over or the signal is aborted. A turn may end
 * anywhere: the next one begins by reading where the restore stands.
 */
export async function executeRestore(services: Services, claimed: ClaimedRestore, signal: AbortSignal): Promise<void> {
	const hold: Hold = { services, claimed, tried: 0, isStaged: false }
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
		await runBatch(hold, held.cursor)
		hold.tried = 0
		return 0
	} catch (error) {
		return await settleError(hold, error)
	}
}

/** What a failed batch leads to; answers as {@link takeTurn}. */
async function settleError(hold: Hold, error: unknown): Promise<number | undefined> {
	const { services, claimed } = hold
	const { lease } = claimed
	await giveUpNext(hold)
	if (error instanceof RestoreLeaseLost) return undefined
	if (error instanceof NotStraight) {
		services.log.info({ why: error.message, restore: lease.id }, 'the restore goes on through stages')
		hold.isStaged = true
		return 0
	}
	if (isDiskFull(error)) {
		await tellDiskFull(services, lease)
		return roomMs
	}
	if (mayPass(error) && ++hold.tried < attempts) return pauseMs * 2 ** hold.tried
	services.log.error({ err: error, restore: lease.id }, 'the restore failed')
	await endRestore(services, lease, 'fail', toFailure(error))
	return undefined
}

/** The restore could not be read or written between two batches: it stays in this worker's hands while that may pass. */
function pauseWithout({ services, claimed }: Hold, error: unknown): number {
	if (!isDiskFull(error) && !mayPass(error)) throw error
	services.log.warn({ err: error, restore: claimed.lease.id }, 'the restore could not be looked at, tried again')
	return roomMs
}

async function tellDiskFull(services: Services, lease: RestoreLease): Promise<void> {
	services.log.warn({ restore: lease.id }, 'the disk of the database is full; the restore waits')
	await services.control.sql`
		update reprieve.restores set waiting = ${JSON.stringify(diskFull)}::text::jsonb
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

/** Contention, lost connections and absent storage pass; everything else is for an operator. */
function mayPass(error: unknown): boolean {
	return error instanceof ReprieveError ? error.retryable : isPassing(error)
}

function toFailure(error: unknown): Failure {
	if (error instanceof ReprieveError) {
		return { code: error.code, message: error.message, ...(error.hint ? { hint: error.hint } : {}) }
	}
	return { code: 'INTERNAL', message: error instanceof Error ? error.message : String(error) }
}
