import type { Admin, Consumer, ConsumerGroupJoinEvent, EachBatchPayload, Kafka } from 'kafkajs'
import { isProtocolError } from '../kafka/client.ts'
import type { Brokers, GroupMember, Lane, MemberOptions } from './brokers.ts'
import { listFrameTopics, readEnds, readGroupOffsets } from './topics.ts'

export type GroupOptions = {
	kafka: Kafka
	group: string
	/** Milliseconds after which another member may take over the partitions of one that is silent. */
	sessionMs: number
}

/** The least that a broker allows by default. */
const leastSessionMs = 6_000

/** Brokers as KafkaJS reaches them. */
export function brokersOf(admin: Admin, options: GroupOptions): Brokers {
	return {
		topics: (prefix) => listFrameTopics(admin, prefix),
		ends: (topic) => readEnds(admin, topic),
		offsets: () => readGroupOffsets(admin, options.group),
		member: (member) => new FrameConsumer({ ...options, ...member }),
	}
}

class FrameConsumer implements GroupMember {
	readonly #options: GroupOptions & MemberOptions
	readonly #consumer: Consumer
	#given: Pick<ConsumerGroupJoinEvent['payload'], 'memberId' | 'generationId'> | undefined
	#fetchedAt = performance.now()

	constructor(options: GroupOptions & MemberOptions) {
		this.#options = options
		const sessionTimeout = Math.max(leastSessionMs, options.sessionMs)
		this.#consumer = options.kafka.consumer({
			groupId: options.group,
			// Capture makes topics, with settings under which nothing goes before its time.
			allowAutoTopicCreation: false,
			sessionTimeout,
			rebalanceTimeout: sessionTimeout * 3,
			// Others who join wait until this member has heard of it.
			heartbeatInterval: Math.min(250, sessionTimeout / 6),
			// A partition that is resumed waits for the fetch under way.
			maxWaitTimeInMs: 100,
			maxBytesPerPartition: 2 * 1024 * 1024,
			maxBytes: 8 * 1024 * 1024,
			retry: { initialRetryTime: 50, maxRetryTime: 2_000, retries: 10, restartOnFailure: async () => false },
		})
	}

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
			// A member that missed a generation may have lost partitions in it, and got them back since.
			const { memberId, generationId } = payload
			const isContinued = this.#given?.memberId === memberId && this.#given.generationId + 1 === generationId
			this.#given = { memberId, generationId }
			onAssigned(lanes, isContinued)
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

	async add(topics: string[]): Promise<boolean> {
		try {
			await this.#consumer.subscribe({ topics, fromBeginning: true })
			return true
		} catch (error) {
			if (isProtocolError(error, 'UNKNOWN_TOPIC_OR_PARTITION')) return false
			throw error
		}
	}

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
