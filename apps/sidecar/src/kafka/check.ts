import { tableOfTopic, transactionsTopic } from '@reprieve/cdc'
import type { Finding } from '@reprieve/contracts'
import kafkajs, { type Admin, type Kafka } from 'kafkajs'
import type { KafkaConfig } from './config.ts'
import { isUnknownTopic, patiently } from './patience.ts'

/** Replicas, and how many of them must have a record before it is acknowledged: one broker may go without loss. */
const replicas = 3
const insync = 2

/** Settings that are looked at: of a thousand topics all of them would be megabytes. */
const settings = [
	'cleanup.policy',
	'unclean.leader.election.enable',
	'retention.ms',
	'retention.bytes',
	'min.insync.replicas',
] as const

/** What the brokers say of one topic. */
type TopicState = { topic: string; replicas: number; value: (name: (typeof settings)[number]) => string | undefined }

export type ClusterVerdict = {
	/** What closes the gate: records may go before the vault has them. */
	findings: Finding[]
	/** Whether what the brokers acknowledged outlives one of them. */
	isReplicated: boolean
}

/** Looks at the topics that capture writes to. `worstOutageMs`: how long their records must stay. */
export async function checkCluster(
	kafka: Kafka,
	{ prefix, acknowledge, retentionMs: worstOutageMs }: Pick<KafkaConfig, 'prefix' | 'acknowledge' | 'retentionMs'>,
): Promise<ClusterVerdict> {
	const admin = kafka.admin()
	await admin.connect()
	try {
		const topics = await patiently(() => readTopics(admin, prefix), isUnknownTopic)
		const weak = topics.filter(
			(topic) => topic.replicas < replicas || Number(topic.value('min.insync.replicas')) < insync,
		)
		return {
			isReplicated: topics.length > 0 && weak.length === 0,
			findings: [
				...findingOf(topics.filter(isForgetful), forgetful),
				...findingOf(
					topics.filter((topic) => isShort(topic, worstOutageMs)),
					short(worstOutageMs),
				),
				...(acknowledge === 'broker' ? findingOf(weak, unreplicated) : []),
			],
		}
	} finally {
		await admin.disconnect()
	}
}

async function readTopics(admin: Admin, prefix: string): Promise<TopicState[]> {
	const isOurs = (topic: string) => topic === transactionsTopic(prefix) || tableOfTopic(prefix, topic) !== undefined
	const topics = (await admin.fetchTopicMetadata()).topics.filter(({ name }) => isOurs(name))
	if (topics.length === 0) return []
	const { resources } = await admin.describeConfigs({
		includeSynonyms: false,
		resources: topics.map(({ name }) => ({
			type: kafkajs.ConfigResourceTypes.TOPIC,
			name,
			configNames: [...settings],
		})),
	})
	const entries = new Map(resources.map(({ resourceName, configEntries }) => [resourceName, configEntries]))
	return topics.map(({ name, partitions }) => ({
		topic: name,
		replicas: Math.min(...partitions.map((one) => one.replicas.length)),
		value: (wanted) => entries.get(name)?.find(({ configName }) => configName === wanted)?.configValue,
	}))
}

function isForgetful({ value }: TopicState): boolean {
	return value('cleanup.policy') !== 'delete' || value('unclean.leader.election.enable') === 'true'
}

function isShort({ value }: TopicState, worstOutageMs: number): boolean {
	const [ms, bytes] = [Number(value('retention.ms')), Number(value('retention.bytes'))]
	return bytes >= 0 || (ms >= 0 && ms < worstOutageMs)
}

type Complaint = Pick<Finding, 'code' | 'remedy'> & { what: string }

const forgetful: Complaint = {
	code: 'topicSettings',
	what: 'need cleanup.policy=delete and unclean.leader.election.enable=false',
	remedy: 'Change the settings of these topics (kafka-configs --alter).',
}

function short(worstOutageMs: number): Complaint {
	return {
		code: 'topicRetention',
		what: `keep records for less than ${worstOutageMs / 3_600_000} hours, or only so many bytes`,
		remedy:
			'Set their retention.ms to -1 or to more than the worst outage of the archive, retention.bytes to -1, or lower REPRIEVE_KAFKA_RETENTION_HOURS.',
	}
}

const unreplicated: Complaint = {
	code: 'topicReplication',
	what: `have fewer than ${replicas} replicas, or min.insync.replicas below ${insync}: their acknowledgement releases no log`,
	remedy: 'Reassign their partitions to three brokers, or set REPRIEVE_KAFKA_ACKNOWLEDGE=vault.',
}

function findingOf(topics: TopicState[], { code, what, remedy }: Complaint): Finding[] {
	if (topics.length === 0) return []
	const names = topics.map(({ topic }) => topic)
	const shown = names.slice(0, 5).join(', ') + (names.length > 5 ? ` and ${names.length - 5} more` : '')
	return [{ code, message: `topics ${shown} ${what}`, remedy }]
}
