import { type DebeziumEnd, type DebeziumEvent, type OutsideMessage, readEvent } from '@reprieve/cdc'
import { poison } from './poison.ts'

/** A record of a partition, as the broker gave it. */
export type KafkaRecord = {
	offset: bigint
	value: Uint8Array | null
	headers: Readonly<Record<string, unknown>>
}

type Head = { record: KafkaRecord; event: DebeziumEvent | OutsideMessage }

/** Records of one partition that are not used up, oldest first. */
type Lane = { records: KafkaRecord[]; at: number; head: Head | undefined; consumed: bigint }

/**
 * Joins the rows and messages of one transaction at a time out of many partitions. Within a partition Debezium keeps the
 * order of transactions and of the changes in each; a connector that was killed sends some of them again, under the
 * same numbers.
 */
export class Join {
	readonly #prefix: string
	readonly #lanes = new Map<string, Lane>()
	/** Transactions whose events may still lie in a lane although nothing else dates them. */
	readonly #ended = new Set<string>()
	#bytes = 0
	/** Of the newest message outside of transactions, of those before the transaction under way. */
	#messageAt: bigint | undefined

	/** `prefix` is the connector's: events of others are none. */
	constructor(prefix: string) {
		this.#prefix = prefix
	}

	/** Bytes of all records at hand. */
	get bytes(): number {
		return this.#bytes
	}

	add(lane: string, record: KafkaRecord): void {
		let known = this.#lanes.get(lane)
		if (!known) {
			known = { records: [], at: 0, head: undefined, consumed: record.offset }
			this.#lanes.set(lane, known)
		}
		known.records.push(record)
		this.#bytes += sizeOf(record)
	}

	isEmpty(lane: string): boolean {
		const known = this.#lanes.get(lane)
		return !known || known.at === known.records.length
	}

	/** Offset of the first record of each lane that is not used up. */
	get consumed(): Map<string, bigint> {
		return new Map([...this.#lanes].map(([name, lane]) => [name, lane.consumed]))
	}

	/** Event number `order` of a transaction; undefined while it has not come. `waiting` are ends read beyond this one. */
	take(end: DebeziumEnd, order: number, waiting: readonly DebeziumEnd[]): DebeziumEvent | undefined {
		for (const [name, lane] of this.#lanes) {
			for (let head = this.#headOf(name, lane); head; head = this.#headOf(name, lane)) {
				const { event } = head
				if (event.op === 'outside') {
					if (event.position >= end.end) break
					this.#shift(lane)
					this.#messageAt = event.position
					continue
				}
				const isDue = isOf(event, end) && event.order === order
				if (!isDue && !this.#isPast(event, { end, order, waiting })) break
				this.#shift(lane)
				if (isDue) return event
			}
		}
		return undefined
	}

	/** Takes up to a transaction's events what lies before them. */
	look(end: DebeziumEnd, waiting: readonly DebeziumEnd[]): void {
		this.take(end, 0, waiting)
	}

	/** Whether what the connector had read before an event is a message outside of transactions. */
	isBehindMessage({ after }: DebeziumEvent): boolean {
		return after !== undefined && after === this.#messageAt
	}

	/** A transaction that was taken, or is known from before: what comes of it again is dropped. */
	ended(end: DebeziumEnd): void {
		this.#ended.add(idOf(end))
		if (this.#ended.size <= 10_000) return
		for (const oldest of this.#ended) {
			this.#ended.delete(oldest)
			break
		}
	}

	/** Whether an event is of a transaction before this one, or of this one and taken already. */
	#isPast(
		event: DebeziumEvent,
		{ end, order, waiting }: { end: DebeziumEnd; order: number; waiting: readonly DebeziumEnd[] },
	): boolean {
		if (isOf(event, end)) return event.order < order
		if (event.after !== undefined) return event.after < end.end
		return this.#ended.has(`${event.xid}@${event.committedAt / 1000n}`) && !waiting.some((later) => isOf(event, later))
	}

	/** Throws CaptureStopped at a record that is no event. */
	#headOf(name: string, lane: Lane): Head | undefined {
		while (!lane.head) {
			const record = lane.records[lane.at]
			if (!record) return undefined
			const event = read(name, record)
			if (event?.prefix === this.#prefix) lane.head = { record, event }
			else this.#shift(lane)
		}
		return lane.head
	}

	#shift(lane: Lane): void {
		const record = lane.records[lane.at++]
		lane.head = undefined
		if (record) {
			this.#bytes -= sizeOf(record)
			lane.consumed = record.offset + 1n
		}
		if (lane.at < 1_000 && lane.at < lane.records.length) return
		lane.records = lane.records.slice(lane.at)
		lane.at = 0
	}
}

function read(lane: string, record: KafkaRecord): Head['event'] | undefined {
	try {
		return readEvent(record.value, record.headers)
	} catch (error) {
		throw poison(lane, record.offset, error)
	}
}

function isOf(event: DebeziumEvent, end: DebeziumEnd): boolean {
	return event.xid === end.xid && event.committedAt / 1000n === end.committedMs
}

function idOf(end: DebeziumEnd): string {
	return `${end.xid}@${end.committedMs}`
}

function sizeOf(record: KafkaRecord): number {
	return (record.value?.length ?? 0) + 200
}
