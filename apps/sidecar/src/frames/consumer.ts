import type { Consumer, EachBatchPayload, Kafka } from 'kafkajs'

/** One partition of one topic. */
export type Lane = { topic: string; partition: number }

/** A record as it lies in its partition. */
export type LaneRecord = { offset: bigint; value: Uint8Array | null }

export type FrameConsumerOptions = {
	kafka: Kafka
	group: string
	topics: string[]
	/** Milliseconds after which another member may take over the partitions of one that is silent. */
	sessionMs: number
	/** Other partitions than before, or the same again: reading waits until each is {@link FrameConsumer.begin | begun}. */
	onAssigned: (lanes: Lane[]) => void
	/** Records in order; the next ones come after it has resolved. `beat` is to be called while that takes long. */
	onRecords: (lane: Lane, records: LaneRecord[], batch: { end: bigint; beat: () => Promise<void> }) => Promise<void>
	/** Called once, with what ended the consumer. */
	onFailure: (error: unknown) => void
}

/** The least that a broker allows by default. */
const leastSessionMs = 6_000

/** A member of the group of archivers. It never moves by the group's offsets, but where it is told to begin. */
export class FrameConsumer {
	readonly #options: FrameConsumerOptions
	readonly #consumer: Consumer
	#fetchedAt = performance.now()

	constructor(options: FrameConsumerOptions) {
		this.#options = options
		const sessionTimeout = Math.max(leastSessionMs, options.sessionMs)
		this.#consumer = options.kafka.consumer({
			groupId: options.group,
			sessionTimeout,
			rebalanceTimeout: sessionTimeout * 3,
			heartbeatInterval: Math.min(1_000, sessionTimeout / 6),
			// A partition that is resumed waits for the fetch under way.
			maxWaitTimeInMs: 100,
			maxBytesPerPartition: 2 * 1024 * 1024,
			maxBytes: 8 * 1024 * 1024,
			retry: { initialRetryTime: 50, maxRetryTime: 2_000, retries: 10, restartOnFailure: async () => false },
		})
	}

	/** Milliseconds since anything was asked of the brokers with success. */
	get silentMs(): number {
		return performance.now() - this.#fetchedAt
	}

	async start(): Promise<void> {
		const { topics, onAssigned, onFailure } = this.#options
		const { events } = this.#consumer
		this.#consumer.on(events.CRASH, ({ payload }) => onFailure(payload.error))
		this.#consumer.on(events.FETCH, () => {
			this.#fetchedAt = performance.now()
		})
		this.#consumer.on(events.GROUP_JOIN, ({ payload }) => {
			const lanes = Object.entries(payload.memberAssignment).flatMap(([topic, partitions]) =>
				partitions.map((partition) => ({ topic, partition })),
			)
			this.#fetchedAt = performance.now()
			for (const lane of lanes) this.pause(lane)
			onAssigned(lanes)
		})
		await this.#consumer.connect()
		await this.#consumer.subscribe({ topics, fromBeginning: true })
		await this.#consumer.run({
			autoCommit: false,
			eachBatchAutoResolve: true,
			partitionsConsumedConcurrently: 4,
			eachBatch: (payload) => this.#handOver(payload),
		})
	}

	/** Reads a partition from an offset on. */
	begin(lane: Lane, offset: bigint): void {
		this.#consumer.seek({ ...lane, offset: offset.toString() })
		this.resume(lane)
	}

	pause({ topic, partition }: Lane): void {
		this.#consumer.pause([{ topic, partitions: [partition] }])
	}

	resume({ topic, partition }: Lane): void {
		this.#consumer.resume([{ topic, partitions: [partition] }])
	}

	/** Says in the group how far everything is durable; nothing depends on it. */
	async commit(offsets: (Lane & { offset: bigint; metadata: string })[]): Promise<void> {
		await this.#consumer.commitOffsets(offsets.map(({ offset, ...rest }) => ({ ...rest, offset: offset.toString() })))
	}

	async stop(): Promise<void> {
		await this.#consumer.disconnect()
	}

	async #handOver({ batch, isStale, isRunning, heartbeat }: EachBatchPayload): Promise<void> {
		if (isStale() || !isRunning()) return
		const { topic, partition, messages, highWatermark } = batch
		const records = messages.map(({ offset, value }) => ({ offset: BigInt(offset), value }))
		await this.#options.onRecords({ topic, partition }, records, { end: BigInt(highWatermark), beat: heartbeat })
	}
}
