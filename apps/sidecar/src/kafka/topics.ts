import type { Admin, Kafka } from 'kafkajs'
import type { KafkaConfig } from './config.ts'

type Settings = Pick<KafkaConfig, 'replication' | 'partitions' | 'retentionMs'>

/** Makes the topics that capture writes to, once each, with settings under which no record goes before its time. */
export class Topics {
	readonly #admin: Admin
	readonly #settings: Settings
	/** The topic of transactions, which has one partition whatever the settings. */
	readonly #single: string
	readonly #known = new Set<string>()

	constructor(kafka: Kafka, settings: Settings, single: string) {
		this.#admin = kafka.admin()
		this.#settings = settings
		this.#single = single
	}

	async connect(): Promise<void> {
		await this.#admin.connect()
	}

	/** Makes a topic that is missing, and partitions that one has too few of; those beyond the number stay unused. */
	async ensure(topic: string): Promise<void> {
		if (this.#known.has(topic)) return
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
		this.#known.add(topic)
	}

	async close(): Promise<void> {
		await this.#admin.disconnect()
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
