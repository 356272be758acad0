import { ReprieveError } from '@reprieve/contracts'
import kafkajs, { type Admin, type Kafka } from 'kafkajs'
import type { KafkaConfig } from './config.ts'

type Settings = Pick<KafkaConfig, 'replication' | 'partitions' | 'retentionMs'> & {
	/** Most bytes of a record that capture would write. */
	maxRecordBytes: number
}

/** What a batch of one record takes besides it, with room to spare. */
const batchOverhead = 1_000

/** Makes the topics that capture writes to, once each, with settings under which no record goes before its time. */
export class Topics {
	readonly #admin: Admin
	readonly #settings: Settings
	/** The topic of transactions, which has one partition whatever the settings. */
	readonly #single: string
	readonly #known = new Set<string>()
	#maxRecordBytes: number

	constructor(kafka: Kafka, settings: Settings, single: string) {
		this.#admin = kafka.admin()
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
		await this.#admin.connect()
		await this.#make(this.#single)
		this.#maxRecordBytes = Math.min(this.#maxRecordBytes, (await this.#limitOf(this.#single)) - batchOverhead)
		this.#known.add(this.#single)
	}

	/**
	 * Makes a topic that is missing, and partitions that one has too few of; those beyond the number stay unused. Throws
	 * INVALID for one that takes smaller records than the others.
	 */
	async ensure(topic: string): Promise<void> {
		if (this.#known.has(topic)) return
		await this.#make(topic)
		const limit = await this.#limitOf(topic)
		if (limit - batchOverhead < this.#maxRecordBytes) throw tooSmall(topic, limit, this.#maxRecordBytes)
		this.#known.add(topic)
	}

	async close(): Promise<void> {
		await this.#admin.disconnect()
	}

	async #make(topic: string): Promise<void> {
		const numPartitions = topic === this.#single ? 1 : this.#settings.partitions
		const { brokers } = await this.#admin.describeCluster()
		const replicationFactor = this.#settings.replication ?? Math.min(3, brokers.length)
		await this.#admin.createTopics({
			waitForLeaders: true,
			topics: [{ topic, numPartitions, replicationFactor, configEntries: this.#entries(replicationFactor) }],
		})
		const [found] = (await this.#admin.fetchTopicMetadata({ topics: [topic] })).topics
		if ((found?.partitions.length ?? 0) < numPartitions)
			await this.#admin.createPartitions({ topicPartitions: [{ topic, count: numPartitions }] })
	}

	async #limitOf(topic: string): Promise<number> {
		const type = kafkajs.ConfigResourceTypes.TOPIC
		const resources = [{ type, name: topic, configNames: ['max.message.bytes'] }]
		const [found] = (await this.#admin.describeConfigs({ includeSynonyms: false, resources })).resources
		return Number(found?.configEntries[0]?.configValue ?? Number.POSITIVE_INFINITY)
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

function tooSmall(topic: string, limit: number, wanted: number): ReprieveError {
	return new ReprieveError('INVALID', `topic ${topic} takes ${limit} bytes a record, capture writes up to ${wanted}`, {
		hint: 'Set its max.message.bytes to what the topic of transactions has.',
	})
}
