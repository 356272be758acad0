import { randomBytes } from 'node:crypto'
import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import type { Socket } from 'node:net'
import { openKafka } from '@reprieve/sidecar'
import { checkCluster, Topics } from '@reprieve/sidecar/steps'
import kafkajs, { type Admin, type ITopicConfig, type Kafka } from 'kafkajs'
import { pino } from 'pino'
import { expect, test } from 'vitest'
import { hasKafka, sharedBroker } from '../support/kafka/shared.ts'
import { until } from '../support/wait.ts'

const settings = { replication: 1, partitions: 3, retentionMs: 3_600_000, maxRecordBytes: 900_000 }

test.runIf(hasKafka)('a topic that is enlarged for a row and ahead at once fails neither', async () => {
	const both = Promise.withResolvers<void>()
	let asked = 0
	await using ground = await openGround(async (method) => {
		if (method !== 'createPartitions') return
		if (++asked === 2) both.resolve()
		await both.promise
	})
	const { admin, topics, name } = ground
	await makeTopic(admin, { topic: name('t'), numPartitions: 1, replicationFactor: 1 })
	await Promise.all([topics.ensure(name('t')), topics.makeAhead([name('t')])])
	expect(asked).toBe(2)
	await until(async () => (await partitionsOf(admin, name('t'))) === 3, 'three partitions')
})

test.runIf(hasKafka)('looks that fail while brokers learn of a topic are repeated', async () => {
	const failing = { fetchTopicMetadata: [] as unknown[], describeConfigs: [] as unknown[] }
	await using ground = await openGround(async (method) => {
		const error = method === 'fetchTopicMetadata' || method === 'describeConfigs' ? failing[method].shift() : undefined
		if (error) throw error
	})
	const { admin, topics, name } = ground
	failing.fetchTopicMetadata.push(
		unknownTopic(),
		undefined,
		new TypeError('no metadata'),
		new Error('a partition has no leader'),
	)
	failing.describeConfigs.push(unknownTopic())
	await topics.ensure(name('t'))
	expect(failing).toEqual({ fetchTopicMetadata: [], describeConfigs: [] })
	await until(async () => (await partitionsOf(admin, name('t'))) === 3, 'three partitions')
	failing.describeConfigs.push(unknownTopic())
	const checked = checkCluster(ground.kafka, { ...settings, prefix: ground.prefix, acknowledge: 'vault' })
	expect(await checked).toEqual({ findings: [], isReplicated: false })
	expect(failing.describeConfigs).toEqual([])
})

test.runIf(hasKafka)('a topic that is being made when its maker closes leaves no connection', async () => {
	const [asked, closed] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()]
	let looks = 0
	await using ground = await openGround(async (method) => {
		if (method !== 'createTopics' || ++looks < 2) return
		asked.resolve()
		await closed.promise
	})
	const { topics, name, sockets, admin } = ground
	await admin.disconnect()
	const making = topics.ensure(name('t')).catch((error) => error)
	await asked.promise
	await topics.close()
	const areClosed = () => sockets.every(({ destroyed }) => destroyed)
	await until(areClosed, 'every connection to be closed')
	const before = sockets.length
	closed.resolve()
	await making
	expect(sockets.length).toBeGreaterThan(before)
	await until(areClosed, 'the new one to be closed')
})

test.runIf(hasKafka)(
	'a topic for smaller records than the others is refused ahead, and keeps no other from it',
	async () => {
		const asked: string[] = []
		await using ground = await openGround(async (method) => void asked.push(method))
		const { admin, topics, name } = ground
		const configEntries = [{ name: 'max.message.bytes', value: '2000' }]
		await makeTopic(admin, { topic: name('s'), numPartitions: 3, replicationFactor: 1, configEntries })
		await expect(topics.makeAhead([name('s'), name('t')])).rejects.toMatchObject({
			code: 'INVALID',
			message: expect.stringContaining(name('s')),
		})
		asked.length = 0
		await topics.ensure(name('t'))
		expect(asked).toEqual([])
	},
)

test.runIf(hasKafka)('what could not be made is named, and not what somebody else made meanwhile', async () => {
	const before: { createTopics?: () => Promise<unknown> } = {}
	await using ground = await openGround(async (method) => {
		if (method === 'createTopics') await before.createTopics?.()
	})
	const { admin, topics, name } = ground
	before.createTopics = () => makeTopic(admin, { topic: name('a'), numPartitions: 3, replicationFactor: 1 })
	await expect(topics.makeAhead([name('a'), name('b!')])).rejects.toMatchObject({
		message: expect.stringMatching(/could not be made: .*b!: [^,]*$/),
	})
})

/** Makes a topic and waits until it is known: a broker that has not heard of it yet refuses to look for its leaders. */
async function makeTopic(admin: Admin, topic: ITopicConfig): Promise<void> {
	await admin.createTopics({ waitForLeaders: false, topics: [topic] })
	await until(async () => (await partitionsOf(admin, topic.topic)) !== undefined, 'the topic to be known')
}

/** As metadata has it: offsets of a new partition are refused until its broker has opened it. */
async function partitionsOf(admin: Admin, topic: string): Promise<number | undefined> {
	const known = await admin.fetchTopicMetadata({ topics: [topic] }).catch((error: unknown) => {
		if (!(error instanceof kafkajs.KafkaJSProtocolError && error.type === 'UNKNOWN_TOPIC_OR_PARTITION')) throw error
	})
	return known?.topics[0]?.partitions.length
}

function unknownTopic(): Error {
	const answer = { type: 'UNKNOWN_TOPIC_OR_PARTITION', code: 3, retriable: true }
	return new kafkajs.KafkaJSProtocolError(Object.assign(new Error('no such topic'), answer))
}

/** Topics of a prefix of their own, connected; `before` is called with every question to the brokers. */
async function openGround(before: (method: string) => Promise<void>) {
	const { brokers } = await sharedBroker()
	const sockets: Socket[] = []
	const watch = (message: unknown) => void sockets.push((message as { socket: Socket }).socket)
	subscribe('net.client.socket', watch)
	const kafka = openKafka({ brokers, tls: null, sasl: null }, pino({ level: 'silent' }))
	const admin = kafka.admin()
	await admin.connect()
	const prefix = `making.${randomBytes(4).toString('hex')}`
	const name = (topic: string) => `${prefix}.${topic}`
	const topics = new Topics(interceptAdmin(kafka, before), settings, name('transactions'))
	await topics.connect()
	return {
		...{ admin, kafka, topics, prefix, name, sockets },
		async [Symbol.asyncDispose]() {
			await Promise.all([topics.close(), admin.disconnect()])
			unsubscribe('net.client.socket', watch)
		},
	}
}

function interceptAdmin(kafka: Kafka, before: (method: string) => Promise<void>): Kafka {
	const open = kafka.admin.bind(kafka)
	const intercept = (admin: Admin): Admin => {
		const { fetchTopicMetadata, createTopics, createPartitions, describeConfigs } = admin
		return {
			...admin,
			fetchTopicMetadata: async (...given) => before('fetchTopicMetadata').then(() => fetchTopicMetadata(...given)),
			createTopics: async (...given) => before('createTopics').then(() => createTopics(...given)),
			createPartitions: async (...given) => before('createPartitions').then(() => createPartitions(...given)),
			describeConfigs: async (...given) => before('describeConfigs').then(() => describeConfigs(...given)),
		}
	}
	kafka.admin = (config) => intercept(open(config))
	return kafka
}
