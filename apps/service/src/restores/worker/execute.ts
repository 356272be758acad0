import { setTimeout as sleep } from 'node:timers/promises'
import { type Failure, ReprieveError } from '@reprieve/contracts'
import type { Transaction } from '@reprieve/postgres'
import { type BatchCounts, type BatchReader, openBatches, type RestoreCursor, restoreBatch } from '@reprieve/restore'
import type { Services } from '../../context.ts'
import { diskFull, isDiskFull, isPassing } from '../../runs/worker/failures.ts'
import type { TableCounts } from '../read.ts'
import { type ClaimedRestore, endRestore, type RestoreLease, readHeld, releaseRestore } from './claim.ts'

/** Tries of one batch against contention and absent storage, and the first pause between two; it doubles. */
const attempts = 8
const pauseMs = 100
/** Milliseconds between two looks whether a full disk has room again, or the database is there again. */
const roomMs = 1_000

/** One restore in one worker's hands; `tried` counts failures of the batch under way. */
type Hold = { services: Services; claimed: ClaimedRestore; tried: number; batches?: BatchReader }

/**
 * Works a claimed restore to its end, or until it is paused, cancelled, taken over or the signal is aborted. A turn may end
 * anywhere: the next one begins by reading where the restore stands.
 */
export async function executeRestore(services: Services, claimed: ClaimedRestore, signal: AbortSignal): Promise<void> {
	const hold: Hold = { services, claimed, tried: 0 }
	while (!signal.aborted) {
		const pause = await takeTurn(hold).catch((error: unknown) => pauseWithout(hold, error))
		if (pause === undefined) return
		if (pause > 0) await sleep(pause, undefined, { signal }).catch(() => {})
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
	if (error instanceof RestoreLeaseLost) return undefined
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

/** Another worker holds the restore under a newer epoch. */
class RestoreLeaseLost extends Error {}

async function runBatch(hold: Hold, cursor: RestoreCursor): Promise<void> {
	const { services, claimed } = hold
	const { lease, actor, reason, request } = claimed
	const lineage = await services.lineage()
	const [row] = await services.control.sql<{ timeline: number }[]>`
		select timeline from reprieve.lineages where id = ${lineage}`
	const by = { signer: services.signer, lineage, id: lease.id, actor, reason }
	const archive = { sql: services.pools.restore, vault: services.vault, id: lease.id, cursor }
	hold.batches ??= openBatches(archive)
	const context = {
		...{ vault: services.vault, by, request, cursor, timeline: row?.timeline ?? 1 },
		batches: hold.batches,
	}
	const batch = cursor.done + 1
	const began = performance.now()
	const source = await hold.batches.take(batch)
	const counts = await services.pools.restore.begin(async (tx) => {
		await tx`set local lock_timeout = '10s'`
		// One that stands still holds rows that its successor, and the application, may wait for.
		await tx`set local idle_in_transaction_session_timeout = '60s'`
		const counted = await restoreBatch(tx, context, source)
		await advance(tx, lease, cursor, counted)
		return counted
	})
	const rows = [...counts.values()].reduce((sum, table) => sum + table.restored + table.relinked, 0)
	services.log.info({ restore: lease.id, batch, rows, ms: Math.round(performance.now() - began) }, 'restored a batch')
}

/** Progress commits with the rows, and only under the epoch and the batch that it began with. */
async function advance(
	tx: Transaction,
	lease: RestoreLease,
	cursor: RestoreCursor,
	counts: Map<string, BatchCounts>,
): Promise<void> {
	const sum = (field: keyof BatchCounts) => [...counts.values()].reduce((total, table) => total + table[field], 0)
	const [row] = await tx<{ report: Record<string, TableCounts> }[]>`
		update reprieve.restores set restored = restored + ${sum('restored')}, identical = identical + ${sum('identical')},
			skipped = skipped + ${sum('skipped')}, conflicts = conflicts + ${sum('conflicts')},
			relinked = relinked + ${sum('relinked')}, verified = verified + ${sum('verified')},
			cursor = jsonb_set(cursor, '{done}', to_jsonb(${cursor.done + 1}::int4)), waiting = null
		where id = ${lease.id} and epoch = ${lease.epoch} and lease_owner = ${lease.owner}
			and (cursor ->> 'done')::int4 = ${cursor.done}
		returning report`
	if (!row) throw new RestoreLeaseLost(`restore ${lease.id} is not held under epoch ${lease.epoch} any more`)
	const report = addCounts(row.report, counts)
	await tx`update reprieve.restores set report = ${JSON.stringify(report)}::text::jsonb where id = ${lease.id}`
}

function addCounts(report: Record<string, TableCounts>, counts: Map<string, BatchCounts>): Record<string, TableCounts> {
	return Object.fromEntries(
		Object.entries(report).map(([table, before]) => {
			const more = counts.get(table)
			if (!more) return [table, before]
			return [
				table,
				{
					selected: before.selected,
					restored: before.restored + more.restored,
					identical: before.identical + more.identical,
					skipped: before.skipped + more.skipped,
					relinked: before.relinked + more.relinked,
					verified: before.verified + more.verified,
				},
			]
		}),
	)
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
