import { ReprieveError } from '@reprieve/contracts'
import kafkajs, { type Admin, type Kafka, type KafkaJSAggregateError } from 'kafkajs'
import { isProtocolError } from './client.ts'
import type { KafkaConfig } from './config.ts'
import { isUnknownTopic, patiently, spreadMs } from './patience.ts'

type Settings = Pick<KafkaConfig, 'replication' | 'partitions' | 'retentionMs'> & {
	/** Most bytes of a record that capture would write. */
	maxRecordBytes: number
}

/** A topic, and how many partitions it has at least. */
type Wanted = { topic: string; count: number }

/** What a batch of one record takes besides it, with room to spare. */
const batchOverhead = 1_000

/** Topics of one request: brokers limit what one may make them write, several records for each topic. */
const topicsAtOnce = 100

/** Makes the topics that capture writes to, once each, with settings under which no record goes before its time. */
export class Topics {
	readonly #admin: Admin
	/** A connection of its own: no row waits behind topics that nobody needs yet. */
	readonly #aheadAdmin: Admin
	readonly #settings: Settings
	/** The topic of transactions, which has one partition whatever the settings. */
	readonly #single: string
	readonly #known = new Set<string>()
	#maxRecordBytes: number
	#isClosed = false

	constructor(kafka: Kafka, settings: Settings, single: string) {
		this.#admin = kafka.admin()
		this.#aheadAdmin = kafka.admin()
		this.#settings = settings
		this.#single = single
		this.#maxRecordBytes = settings.maxRecordBytes
	}

	/** Most bytes of a record that the brokers take, or that was asked for, if that is less. */
	get maxRecordBytes(): number {
		return this.#maxRecordBytes
	}

	/** Makes the topic of transactions, and learns from it how large a record may be. */
	async connect(): Promise<void> {
		await Promise.all([this.#admin.connect(), this.#aheadAdmin.connect()])
		const limits = await this.#make(this.#admin, [this.#single])
		this.#maxRecordBytes = Math.min(this.#maxRecordBytes, limitIn(limits, this.#single) - batchOverhead)
		this.#known.add(this.#single)
	}

	/**
	 * Makes a topic that is missing, and partitions that one has too few of; those beyond the number stay unused. Throws
	 * INVALID for one that takes smaller records than the others.
	 */
	async ensure(topic: string): Promise<void> {
		if (this.#known.has(topic)) return
		await this.#makeKnown(this.#admin, [topic])
	}

	/** Does the same for topics that no row waits for. Throws the first refusal once all were tried. */
	async makeAhead(topics: readonly string[]): Promise<void> {
		const wanted = topics.filter((topic) => !this.#known.has(topic))
		const refusals: unknown[] = []
		for (let from = 0; from < wanted.length && !this.#isClosed; from += topicsAtOnce) {
			const making = this.#makeKnown(this.#aheadAdmin, wanted.slice(from, from + topicsAtOnce))
			await making.catch((error) => refusals.push(error))
		}
		if (refusals.length > 0 && !this.#isClosed) throw refusals[0]
	}

	async close(): Promise<void> {
		this.#isClosed = true
		await Promise.allSettled([this.#admin.disconnect(), this.#aheadAdmin.disconnect()])
	}

	async #makeKnown(admin: Admin, topics: readonly string[]): Promise<void> {
		const limits = await this.#make(admin, topics)
		const small = topics.filter((topic) => limitIn(limits, topic) - batchOverhead < this.#maxRecordBytes)
		for (const topic of topics) if (!small.includes(topic)) this.#known.add(topic)
		const [first] = small
		if (first !== undefined) throw tooSmall(first, limitIn(limits, first), this.#maxRecordBytes)
	}

	/** Makes what is missing of the topics and their partitions; answers the most bytes that each takes of a record. */
	async #make(admin: Admin, topics: readonly string[]): Promise<ReadonlyMap<string, number>> {
		try {
			return await this.#makeMissing(admin, topics)
		} finally {
			// What was under way has connected again.
			if (this.#isClosed) await admin.disconnect()
		}
	}

	async #makeMissing(admin: Admin, topics: readonly string[]): Promise<ReadonlyMap<string, number>> {
		const before = await this.#patiently(() => readPartitions(admin), isUnknownTopic)
		const missing = topics.filter((topic) => !before.has(topic))
		const found = missing.length > 0 ? await this.#create(admin, missing) : before
		const topicPartitions = topics
			.map((topic) => ({ topic, count: this.#partitionsOf(topic) }))
			.filter(({ topic, count }) => (found.get(topic) ?? count) < count)
		if (topicPartitions.length > 0) await this.#enlarge(admin, topicPartitions)
		return await this.#patiently(() => readLimits(admin, topics), isUnknownTopic)
	}

	async #create(admin: Admin, topics: string[]): Promise<ReadonlyMap<string, number>> {
		const { brokers } = await admin.describeCluster()
		const replicationFactor = this.#settings.replication ?? Math.min(3, brokers.length)
		const configEntries = this.#entries(replicationFactor)
		const created = admin.createTopics({
			waitForLeaders: false,
			topics: topics.map((topic) => ({
				...{ topic, replicationFactor, configEntries },
				numPartitions: this.#partitionsOf(topic),
			})),
		})
		await created.catch((error) => {
			throw error instanceof kafkajs.KafkaJSAggregateError ? refused(error) : error
		})
		return await this.#untilThere(
			admin,
			topics.map((topic) => ({ topic, count: 1 })),
		)
	}

	/** Brokers refuse a number of partitions that is there: a row's topic may be made here and ahead at once. */
	async #enlarge(admin: Admin, topicPartitions: Wanted[]): Promise<void> {
		try {
			await admin.createPartitions({ topicPartitions })
		} catch (error) {
			if (!isProtocolError(error, 'INVALID_PARTITIONS')) throw error
			await this.#untilThere(admin, topicPartitions)
		}
	}

	/** Brokers learn a little later what was made, and a look fails for a topic that one has not heard of. */
	async #untilThere(admin: Admin, wanted: Wanted[]): Promise<ReadonlyMap<string, number>> {
		const look = async () => {
			const found = await readPartitions(admin).catch((cause) => {
				throw unknown(wanted, cause)
			})
			const missing = wanted.filter(({ topic, count }) => (found.get(topic) ?? 0) < count)
			if (missing.length > 0) throw unknown(missing)
			return found
		}
		return await this.#patiently(look, () => true)
	}

	async #patiently<T>(look: () => Promise<T>, isPassing: (error: unknown) => boolean): Promise<T> {
		return await patiently(look, (error) => !this.#isClosed && isPassing(error))
	}

	#partitionsOf(topic: string): number {
		return topic === this.#single ? 1 : this.#settings.partitions
	}

	#entries(replication: number): { name: string; value: string }[] {
		return [
			{ name: 'cleanup.policy', value: 'delete' },
			{ name: 'retention.ms', value: `${this.#settings.retentionMs}` },
			{ name: 'retention.bytes', value: '-1' },
			{ name: 'unclean.leader.election.enable', value: 'false' },
			{ name: 'min.insync.replicas', value: replication > 2 ? '2' : '1' },
			{ name: 'compression.type', value: 'producer' },
		]
	}
}

/** Every topic of the cluster, with its number of partitions. */
async function readPartitions(admin: Admin): Promise<ReadonlyMap<string, number>> {
	const { topics } = await admin.fetchTopicMetadata()
	return new Map(topics.map(({ name, partitions }) => [name, partitions.length]))
}

async function readLimits(admin: Admin, topics: readonly string[]): Promise<ReadonlyMap<string, number>> {
	const type = kafkajs.ConfigResourceTypes.TOPIC
	const resources = topics.map((name) => ({ type, name, configNames: ['max.message.bytes'] }))
	const found = (await admin.describeConfigs({ includeSynonyms: false, resources })).resources
	return new Map(
		found.map(({ resourceName, configEntries }) => [
			resourceName,
			Number(configEntries[0]?.configValue ?? Number.POSITIVE_INFINITY),
		]),
	)
}

function limitIn(limits: ReadonlyMap<string, number>, topic: string): number {
	return limits.get(topic) ?? Number.POSITIVE_INFINITY
}

function refused(error: KafkaJSAggregateError): ReprieveError {
	const reasons = error.errors
		.filter((one) => !isProtocolError(one, 'TOPIC_ALREADY_EXISTS'))
		.map((one) => (one instanceof Error && 'topic' in one ? `${one.topic}: ${one.message}` : `${one}`))
	const more = reasons.length > 1 ? `, and ${reasons.length - 1} more` : ''
	return new ReprieveError('UNAVAILABLE', `a topic is missing and could not be made: ${reasons[0]}${more}`, {
		hint: 'Make it, or let capture make topics (docs/how-to/kafka-cluster.md). It is tried again.',
		...{ retryable: true, cause: error },
	})
}

function unknown([wanted, ...more]: Wanted[], cause?: unknown): ReprieveError {
	const others = more.length > 0 ? ` and ${more.length} more` : ''
	const message = `topic ${wanted?.topic}${others} was made, but the brokers do not know it after ${spreadMs} ms`
	return new ReprieveError('UNAVAILABLE', message, { retryable: true, cause })
}

function tooSmall(topic: string, limit: number, wanted: number): ReprieveError {
	return new ReprieveError('INVALID', `topic ${topic} takes ${limit} bytes a record, capture writes up to ${wanted}`, {
		hint: 'Set its max.message.bytes to what the topic of transactions has.',
	})
}
