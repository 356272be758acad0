import { type DebeziumEnd, readEnd } from '@reprieve/cdc'
import { ReprieveError } from '@reprieve/contracts'
import type { Admin, Consumer, EachBatchPayload, Kafka } from 'kafkajs'
import type { Logger } from 'pino'
import { CaptureStopped } from '../incident.ts'
import { Join, type KafkaRecord } from './join.ts'
import { poison } from './poison.ts'

export type ReaderOptions = {
	kafka: Kafka
	/** `topic.prefix` of the connector. */
	prefix: string
	group: string
	/** Bytes of records held before partitions wait. */
	bufferBytes: number
	/** Milliseconds between looks for new topics, while something is waited for. */
	topicsMs: number
	/** Records that an operator leaves out, as `topic:partition:offset`. */
	skip: ReadonlySet<string>
	log: Logger
	/** Milliseconds after which an archiver that is not heard of has no partitions. */
	sessionMs: number
	onFailure: (error: unknown) => void
}

/** An end in the transaction topic, and where it lies. */
type Ended = { end: DebeziumEnd; offset: bigint }

/** Offsets to commit when a transaction has its receipt: first records not used up, by partition. */
type Mark = { position: bigint; offsets: Map<string, bigint> }

/** Reads a connector's topics: ends of transactions in order, and the events between. */
export class Reader {
	readonly join: Join
	readonly #options: ReaderOptions
	readonly #consumer: Consumer
	readonly #admin: Admin
	readonly #ends: Ended[] = []
	readonly #offsets = new Map<string, bigint>()
	readonly #paused = new Set<string>()
	readonly #marks: Mark[] = []
	readonly #transactionTopic: string
	#topics: string[] = []
	#consumedEnds = 0n
	#arrived = Promise.withResolvers<void>()
	#lookedAt = performance.now()
	#fetchedAt = performance.now()
	#watchdog: NodeJS.Timeout | undefined
	#isStopped = false

	constructor(options: ReaderOptions) {
		this.#options = options
		this.join = new Join(options.prefix)
		this.#transactionTopic = `${options.prefix}.transaction`
		this.#admin = options.kafka.admin()
		this.#consumer = options.kafka.consumer({
			groupId: options.group,
			// Counted as packed: rows may unpack to thirty times as much.
			maxBytesPerPartition: 128 * 1024,
			maxBytes: 2 * 1024 * 1024,
			// The next archiver gets the partitions of one that was killed only then.
			sessionTimeout: this.#sessionMs,
			heartbeatInterval: 2_000,
			// A consumer that starts itself again beside a look for topics leaves a member behind that holds partitions.
			retry: { restartOnFailure: async () => false },
			// A partition that is resumed waits for the fetch under way.
			maxWaitTimeInMs: 100,
		})
	}

	/** Begins to read where the group stands, else from the beginning. */
	async start(): Promise<void> {
		await Promise.all([this.#consumer.connect(), this.#admin.connect()])
		this.#consumer.on(this.#consumer.events.CRASH, ({ payload }) => {
			const isUnreadable = payload.error.name === 'KafkaJSNotImplemented'
			this.#options.onFailure(isUnreadable ? unreadable(payload.error) : payload.error)
		})
		this.#consumer.on(this.#consumer.events.FETCH_START, () => {
			this.#fetchedAt = performance.now()
		})
		const topics = await this.#listTopics()
		if (this.#isStopped) return
		this.#watchdog = setInterval(() => this.#watch(), 1_000)
		await this.#listen(topics)
	}

	/** KafkaJS may live on without fetching, after a rebalance or a stop that came at a bad moment. */
	#watch(): void {
		const silentMs = Math.round(performance.now() - this.#fetchedAt)
		if (this.#topics.length === 0 || silentMs < 2 * this.#sessionMs) return
		this.#options.log.warn({ silentMs }, 'the consumer does not fetch any more')
		this.#options.onFailure(
			new ReprieveError('UNAVAILABLE', `the consumer has not fetched for ${silentMs} ms`, { retryable: true }),
		)
	}

	/** Brokers take no less. */
	get #sessionMs(): number {
		return Math.max(6_000, this.#options.sessionMs)
	}

	/** The next end; undefined while none has come. */
	shiftEnd(): DebeziumEnd | undefined {
		const next = this.#ends.shift()
		if (next) this.#consumedEnds = next.offset + 1n
		return next?.end
	}

	/** Ends that were read already, oldest first. */
	get waiting(): DebeziumEnd[] {
		return this.#ends.slice(0, 100).map((next) => next.end)
	}

	/** Resolves when more has come, or when new topics were looked for. */
	async more(): Promise<void> {
		this.#resume()
		const { topicsMs } = this.#options
		let timer: NodeJS.Timeout | undefined
		const late = new Promise<void>((resolve) => {
			timer = setTimeout(resolve, topicsMs)
		})
		await Promise.race([this.#arrived.promise, late])
		clearTimeout(timer)
		this.#arrived = Promise.withResolvers()
		if (performance.now() - this.#lookedAt >= topicsMs) await this.#lookForTopics()
	}

	/** Everything used up so far belongs to transactions that end at or before `position`. */
	mark(position: bigint): void {
		const offsets = this.join.consumed
		offsets.set(`${this.#transactionTopic}:0`, this.#consumedEnds)
		this.#marks.push({ position, offsets })
		this.#resume()
	}

	/** Commits what lies before `position`; the offsets may reach further back, since they only say where to read on. */
	async commit(position: bigint): Promise<void> {
		const index = this.#marks.findLastIndex((mark) => mark.position <= position)
		const mark = this.#marks[index]
		if (!mark || this.#isStopped) return
		this.#marks.splice(0, index + 1)
		await this.#consumer.commitOffsets(
			[...mark.offsets].map(([lane, offset]) => {
				const cut = lane.lastIndexOf(':')
				return {
					topic: lane.slice(0, cut),
					partition: Number(lane.slice(cut + 1)),
					offset: offset.toString(),
				}
			}),
		)
	}

	/** A consumer that hangs is left behind: its session at the brokers ends by itself. */
	async stop(): Promise<void> {
		this.#isStopped = true
		clearInterval(this.#watchdog)
		const ended = Promise.all([this.#consumer.disconnect(), this.#admin.disconnect()])
		let timer: NodeJS.Timeout | undefined
		const late = new Promise<void>((resolve) => {
			timer = setTimeout(resolve, this.#sessionMs)
		})
		await Promise.race([ended, late])
		clearTimeout(timer)
	}

	async #listTopics(): Promise<string[]> {
		return (await this.#admin.listTopics()).filter((topic) => topic.startsWith(`${this.#options.prefix}.`)).sort()
	}

	async #lookForTopics(): Promise<void> {
		const topics = await this.#listTopics()
		this.#lookedAt = performance.now()
		if (topics.length <= this.#topics.length || this.#isStopped) return
		await this.#consumer.stop()
		if (!this.#isStopped) await this.#listen(topics)
	}

	async #listen(topics: string[]): Promise<void> {
		this.#topics = topics
		this.#fetchedAt = performance.now()
		if (topics.length === 0) return
		this.#paused.clear()
		await this.#consumer.subscribe({ topics, fromBeginning: true })
		await this.#consumer.run({
			autoCommit: false,
			eachBatchAutoResolve: true,
			eachBatch: async (payload) => {
				try {
					this.#take(payload)
				} catch (error) {
					this.#options.onFailure(error)
				}
			},
		})
	}

	#take({ batch }: EachBatchPayload): void {
		const lane = `${batch.topic}:${batch.partition}`
		const next = this.#offsets.get(lane) ?? 0n
		if (BigInt(batch.highWatermark) < next) throw remade(lane, next, batch.highWatermark)
		for (const { offset, value, headers } of batch.messages) {
			const at = BigInt(offset)
			if (at < (this.#offsets.get(lane) ?? 0n)) continue
			this.#offsets.set(lane, at + 1n)
			if (this.#isSkipped(lane, at)) continue
			this.#put(batch.topic, lane, { offset: at, value, headers: headers ?? {} })
		}
		if (this.join.bytes > this.#options.bufferBytes && !this.join.isEmpty(lane)) this.#pause(batch)
		this.#arrived.resolve()
	}

	#put(topic: string, lane: string, record: KafkaRecord): void {
		if (topic !== this.#transactionTopic) {
			this.join.add(lane, record)
			return
		}
		if (!lane.endsWith(':0')) throw unordered(topic)
		try {
			const end = readEnd(record.value)
			if (end) this.#ends.push({ end, offset: record.offset })
		} catch (error) {
			throw poison(lane, record.offset, error)
		}
	}

	#isSkipped(lane: string, offset: bigint): boolean {
		const isSkipped = this.#options.skip.has(`${lane}:${offset}`)
		if (isSkipped) this.#options.log.warn({ record: `${lane}:${offset}` }, 'left out a record, as configured')
		return isSkipped
	}

	#pause({ topic, partition }: { topic: string; partition: number }): void {
		this.#paused.add(`${topic}:${partition}`)
		this.#consumer.pause([{ topic, partitions: [partition] }])
	}

	/** A partition of which nothing is at hand is never held back: the event that is waited for may be there. */
	#resume(): void {
		const isRoomy = this.join.bytes <= this.#options.bufferBytes / 2
		for (const lane of this.#paused) {
			if (!isRoomy && !this.join.isEmpty(lane)) continue
			const cut = lane.lastIndexOf(':')
			this.#consumer.resume([{ topic: lane.slice(0, cut), partitions: [Number(lane.slice(cut + 1))] }])
			this.#paused.delete(lane)
		}
	}
}

/** Offsets that go back: the topic is another one, and what was known of its offsets holds no more. */
function remade(lane: string, next: bigint, end: string): ReprieveError {
	return new ReprieveError(
		'UNAVAILABLE',
		`partition ${lane} ends at ${end}, it was read up to ${next}: it was made anew`,
		{
			retryable: true,
		},
	)
}

function unordered(topic: string): CaptureStopped {
	return new CaptureStopped('INVALID', {
		code: 'TRANSACTION_TOPIC',
		message: `topic ${topic} has more than one partition: its ends have no order`,
		remedy:
			'Stop the connector and the archiver, make the topic anew with one partition, and reset the offsets of the connector.',
	})
}

function unreadable(cause: Error): CaptureStopped {
	return new CaptureStopped(
		'INVALID',
		{
			code: 'UNREADABLE_BATCH',
			message: `the connector's records cannot be unpacked: ${cause.message}`,
			remedy:
				'Set producer.override.compression.type=zstd in the connector, then compression.type=zstd on its topics and write them anew.',
		},
		cause,
	)
}
