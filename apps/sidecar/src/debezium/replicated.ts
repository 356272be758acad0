import type { Finding } from '@reprieve/contracts'
import kafkajs, { type Admin, type Kafka } from 'kafkajs'

/** Code of the finding that there are no topics yet. */
export const silentCode = 'topicsMissing'

/** Replicas, and how many of them must have a record before it is acknowledged: one broker may go without loss. */
const replicas = 3
const insync = 2

/**
 * What the brokers acknowledge may be all that is left of it: findings unless the operator says that the cluster is
 * replicated and every topic of `prefix` is.
 */
export async function checkReplication(
	kafka: Kafka,
	{ prefix, acknowledge }: { prefix: string; acknowledge: 'vault' | 'broker' },
): Promise<Finding[]> {
	if (acknowledge !== 'broker') return [undeclared]
	const admin = kafka.admin()
	await admin.connect()
	try {
		const topics = (await admin.listTopics()).filter((topic) => topic.startsWith(`${prefix}.`))
		if (topics.length === 0) return [empty(prefix)]
		return [
			...findingOf(await readScarce(admin, topics), fewReplicas),
			...findingOf(await readWeak(admin, topics), weakTopic),
		]
	} finally {
		await admin.disconnect()
	}
}

async function readScarce(admin: Admin, topics: string[]): Promise<string[]> {
	const described = (await admin.fetchTopicMetadata({ topics })).topics
	return described
		.filter((topic) => topic.partitions.some((one) => one.replicas.length < replicas))
		.map((topic) => topic.name)
}

async function readWeak(admin: Admin, topics: string[]): Promise<string[]> {
	const resources = topics.map((name) => ({ type: kafkajs.ConfigResourceTypes.TOPIC, name }))
	const configs = await admin.describeConfigs({ includeSynonyms: false, resources })
	return configs.resources.flatMap(({ resourceName, configEntries }) => {
		const value = (name: string) => configEntries.find((entry) => entry.configName === name)?.configValue
		const isRight =
			Number(value('min.insync.replicas')) >= insync &&
			value('unclean.leader.election.enable') === 'false' &&
			value('cleanup.policy') === 'delete'
		return isRight ? [] : [resourceName]
	})
}

const undeclared: Finding = {
	code: 'brokerAcknowledges',
	message: 'PostgreSQL forgets what only the brokers have: a broker that loses it loses deletions',
	remedy: 'Run Kafka with three brokers or more, then set REPRIEVE_KAFKA_ACKNOWLEDGE=broker.',
}

function empty(prefix: string): Finding {
	return {
		code: silentCode,
		message: `there is no topic of ${prefix} yet: whether it will be replicated cannot be said`,
		remedy: 'Start what writes them: its first change makes the topics.',
	}
}

const fewReplicas = {
	code: 'topicReplication',
	what: `have fewer than ${replicas} replicas`,
	remedy: 'Reassign their partitions to three brokers.',
}

const weakTopic = {
	code: 'topicSettings',
	what: `need min.insync.replicas=${insync}, cleanup.policy=delete and unclean.leader.election.enable=false`,
	remedy: 'Change the settings of these topics (kafka-configs --alter).',
}

function findingOf(
	topics: string[],
	{ code, what, remedy }: { code: string; what: string; remedy: string },
): Finding[] {
	if (topics.length === 0) return []
	const shown = topics.slice(0, 5).join(', ') + (topics.length > 5 ? ` and ${topics.length - 5} more` : '')
	return [{ code, message: `topics ${shown} ${what}`, remedy }]
}
