import type { DebeziumEnd, DebeziumEvent } from '@reprieve/cdc'
import { formatLsn } from '@reprieve/contracts'
import { adoptRemedy, CaptureStopped } from '../incident.ts'
import type { Feed } from './feed.ts'
import type { Reader } from './reader.ts'

export type FollowOptions = {
	reader: Reader
	feed: Feed
	/** Position up to which everything has its receipt: what ends there or before is dropped. */
	recorded: bigint
	/** Position at which changes began to come through the connector: its first event knows of none before. */
	begunAt: bigint
	/** Milliseconds that an event of an ended transaction may be missing. */
	patienceMs: number
	signal: AbortSignal
	/** Throws when another archiver may read by now. */
	check: () => Promise<void>
	/** Resolves when memory allows to go on. */
	relief: () => Promise<void> | undefined
	/** Called after each transaction with its end. */
	onTransaction: (end: bigint) => void
	/** Transactions between two positions were never seen, or may not have been. */
	onHole: (hole: Hole) => Promise<void>
}

export type Hole = { from: bigint; to: bigint; reason: string }

/** Takes transactions in the order of their ends, each whole, until the signal ends it. */
export async function followTransactions(options: FollowOptions): Promise<void> {
	const { reader, signal } = options
	let taken = options.recorded
	while (!signal.aborted) {
		const end = reader.shiftEnd()
		if (!end) {
			await more(options)
		} else if (end.end <= taken) {
			reader.join.ended(end)
		} else {
			const isWhole = await takeTransaction(end, taken, options)
			if (!isWhole) return
			taken = end.end
		}
	}
}

async function takeTransaction(end: DebeziumEnd, taken: bigint, options: FollowOptions): Promise<boolean> {
	const { reader, feed, onTransaction } = options
	const first = end.events > 0 ? await nextEvent(end, 1, options) : undefined
	if (end.events > 0 && !first) return false
	const hole = first && (await findHole(first, { end, taken }, options))
	if (hole) await options.onHole(hole)
	const committedAt = first?.committedAt ?? end.committedMs * 1000n
	await feed.begin(end, committedAt)
	const counts = new Map<string, number>()
	let event = first
	for (let order = 1; event; order++) {
		count(counts, event)
		await feed.event(event)
		if (order % 1_000 === 0) await options.relief()
		if (order === end.events) break
		event = await nextEvent(end, order + 1, options)
		if (!event) return false
	}
	checkCounts(end, counts)
	await feed.commit(end, committedAt)
	reader.join.ended(end)
	reader.mark(end.end)
	onTransaction(end.end)
	await options.relief()
	return true
}

async function more({ reader, check }: FollowOptions): Promise<void> {
	await reader.more()
	await check()
}

/**
 * Whether the connector had read transactions before this one that are not among those taken. What it names may be a
 * message outside of transactions that has not come yet.
 */
async function findHole(
	first: DebeziumEvent,
	{ end, taken }: { end: DebeziumEnd; taken: bigint },
	options: FollowOptions,
): Promise<Hole | undefined> {
	const { reader, signal, patienceMs } = options
	const deadline = performance.now() + patienceMs
	const { after } = first
	if (after === undefined) return taken <= options.begunAt ? undefined : { from: taken, to: end.end - 1n, reason: anew }
	while (after > taken && !reader.join.isBehindMessage(first) && !signal.aborted) {
		if (performance.now() > deadline) return { from: taken, to: after, reason: lost }
		await more(options)
		reader.join.look(end, reader.waiting)
	}
	return undefined
}

const lost = "the connector's topics lack transactions that it had read"
const anew = 'the connector began anew, without its offsets: whether it has read all that came before is not known'

/** One event of an ended transaction; undefined when the signal came first. Throws CaptureStopped when it stays away. */
async function nextEvent(end: DebeziumEnd, order: number, options: FollowOptions): Promise<DebeziumEvent | undefined> {
	const { reader, signal, patienceMs } = options
	const deadline = performance.now() + patienceMs
	for (;;) {
		const event = reader.join.take(end, order, reader.waiting)
		if (event) return event
		if (signal.aborted) return undefined
		if (performance.now() > deadline) throw incomplete(end, `event ${order} of ${end.events} has not come`)
		await more(options)
	}
}

const messages = 'io.debezium.connector.postgresql.LogicalDecodingMessageMonitor'

function count(counts: Map<string, number>, event: DebeziumEvent): void {
	const name = event.op === 'm' ? messages : `${event.schema}.${event.table}`
	counts.set(name, (counts.get(name) ?? 0) + 1)
}

/** Messages are counted under names that change with every run of the connector. */
function checkCounts(end: DebeziumEnd, counts: Map<string, number>): void {
	const said = new Map<string, number>()
	for (const [name, events] of end.counts) {
		const key = name.startsWith(messages) ? messages : name
		said.set(key, (said.get(key) ?? 0) + events)
	}
	for (const [name, events] of said) {
		const found = counts.get(name) ?? 0
		if (found !== events) throw incomplete(end, `its end counts ${events} events of ${name}, ${found} came`)
	}
}

function incomplete(end: DebeziumEnd, why: string): CaptureStopped {
	return new CaptureStopped('CAPTURE_GAP', {
		code: 'INCOMPLETE_TRANSACTION',
		message: `transaction ${end.xid}, which ends at ${formatLsn(end.end)}, is not whole in Kafka: ${why}`,
		remedy: `Look for topics that were deleted, short retention, and transformations that drop records. ${adoptRemedy}`,
		position: end.end,
	})
}
