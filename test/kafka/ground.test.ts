import { Kafka, logLevel } from 'kafkajs'
import { expect, test } from 'vitest'
import { startBroker } from '../support/kafka/broker.ts'
import { hasKafka, sharedBroker, sharedConnect } from '../support/kafka/shared.ts'
import { until } from '../support/wait.ts'

test.runIf(hasKafka)('a broker that was killed comes back with its records', { timeout: 180_000 }, async () => {
	await using broker = await startBroker()
	const kafka = new Kafka({ brokers: broker.brokers, logLevel: logLevel.NOTHING, retry: { retries: 100 } })
	const admin = kafka.admin()
	await admin.connect()
	await admin.createTopics({ topics: [{ topic: 'ground', numPartitions: 1, replicationFactor: 1 }] })
	const producer = kafka.producer({ idempotent: true, maxInFlightRequests: 1 })
	await producer.connect()
	await producer.send({ topic: 'ground', messages: [{ value: 'before' }] })
	const killed = broker.pid
	await broker.kill()
	expect(broker.isRunning()).toBe(false)
	await broker.restart()
	expect(broker.pid).not.toBe(killed)
	await producer.send({ topic: 'ground', messages: [{ value: 'after' }] })

	const read: string[] = []
	const consumer = kafka.consumer({ groupId: 'ground' })
	await consumer.connect()
	await consumer.subscribe({ topic: 'ground', fromBeginning: true })
	await consumer.run({ eachMessage: async ({ message }) => void read.push(`${message.value}`) })
	await until(() => read.length >= 2, 'both records')
	expect(read).toEqual(['before', 'after'])
	await consumer.disconnect()
	await producer.disconnect()
	await admin.disconnect()
})

test.runIf(hasKafka)('an idle client raises no warning of a negative timeout', async () => {
	const warnings: string[] = []
	const hear = (warning: Error) => void warnings.push(warning.name)
	process.on('warning', hear)
	const { brokers } = await sharedBroker()
	const admin = new Kafka({ brokers, logLevel: logLevel.NOTHING }).admin()
	await admin.connect()
	for (let asked = 0; asked < 20; asked++) await admin.describeCluster()
	await admin.disconnect()
	process.off('warning', hear)
	expect(warnings).toEqual([])
})

test.runIf(hasKafka)("the shared Kafka Connect knows Debezium's connector", async () => {
	const { url } = await sharedConnect()
	const plugins = await (await fetch(`${url}connector-plugins`)).json()
	expect(JSON.stringify(plugins)).toContain('io.debezium.connector.postgresql.PostgresConnector')
})
