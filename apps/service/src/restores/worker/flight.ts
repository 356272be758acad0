import { type BatchSource, type RestoreCursor, readBatch } from '@reprieve/restore'
import type { Services } from '../../context.ts'
import { type Counts, RestoreLeaseLost, writeBatch } from './batch.ts'
import type { ClaimedRestore } from './claim.ts'

/** A batch that is read, and whose transaction may have begun ahead of its turn. */
export type Flight = {
	batch: number
	source: Promise<BatchSource>
	/** How it writes, once it does; pending where it never comes to that. */
	way: Promise<'straight' | 'staged'>
	/** Begins the transaction unless it has begun; it commits when its turn comes. */
	begin(): Promise<Counts>
	take(): void
	/** Rolls back what has begun. */
	giveUp(): Promise<void>
}

/**
 * Begins to read a batch of the restore, when the one before it writes: before that it would keep this process from what the server
 * waits for. `isStaged` is as its context has it.
 */
export function openFlight(
	services: Services,
	claimed: ClaimedRestore,
	{ cursor, batch, isStaged, behind }: { cursor: RestoreCursor; batch: number; isStaged: boolean; behind?: Flight },
): Flight {
	const archive = { sql: services.pools.restore, vault: services.vault, id: claimed.lease.id, cursor }
	const source = Promise.resolve(behind && isUnderWay(behind)).then(() => readBatch(archive, batch))
	const turn = Promise.withResolvers<void>()
	const way = Promise.withResolvers<'straight' | 'staged'>()
	for (const each of [source, turn.promise]) each.catch(() => {})
	const controller = new AbortController()
	const { signal } = controller
	const signals = { isStaged, turn: turn.promise, goes: way.resolve, signal }
	let done: Promise<Counts> | undefined
	const begin = async () => {
		const read = await source
		signal.throwIfAborted()
		return await writeBatch(services, claimed, { cursor: { ...cursor, done: batch - 1 }, source: read, ...signals })
	}
	return {
		...{ batch, source, way: way.promise, take: turn.resolve },
		begin: () => (done ??= begin()),
		async giveUp() {
			controller.abort(new RestoreLeaseLost(`batch ${batch} was given up`))
			turn.reject(signal.reason)
			await done?.catch(() => {})
		},
	}
}

/** Settles when a batch writes, or is over without. */
async function isUnderWay(flight: Flight): Promise<void> {
	await Promise.race([flight.way, flight.begin()])
}

/** Has the next batch begin beside one that goes straight in: two batches of missing rows of one table do not depend on each other. */
export function overlap(flight: Flight, next: Flight): void {
	const shareOf = ({ shares }: BatchSource) => (shares.length === 1 && shares[0]?.isMissing ? shares[0].t : undefined)
	const begin = async () => {
		const [one, other, way] = await Promise.all([flight.source, next.source, flight.way])
		if (way === 'straight' && shareOf(one) !== undefined && shareOf(one) === shareOf(other)) await next.begin()
	}
	// What fails is thrown when its turn comes.
	begin().catch(() => {})
}
