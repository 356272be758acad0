import { randomBytes } from 'node:crypto'
import { frameTopic, transactionsTopic } from '@reprieve/cdc'
import { Kafka, logLevel } from 'kafkajs'
import { expect, test } from 'vitest'
import { hasKafka, sharedBroker } from '../support/kafka/shared.ts'

test.runIf(hasKafka)(
	'the broker makes a topic of its own for every table, however names are cut into schema and table',
	async () => {
		const { brokers } = await sharedBroker()
		const admin = new Kafka({ brokers, logLevel: logLevel.NOTHING }).admin()
		await admin.connect()
		const prefix = `topics.${randomBytes(4).toString('hex')}`
		const make = (topic: string) => admin.createTopics({ topics: [{ topic, numPartitions: 1, replicationFactor: 1 }] })
		try {
			await make(`${prefix}.plain.eu_orders`)
			await expect(make(`${prefix}.plain_eu.orders`)).rejects.toMatchObject({
				errors: [{ type: 'INVALID_TOPIC_EXCEPTION' }],
			})

			const names = ['orders', 'eu_orders', 'eu.orders', '_orders', '__5forders', '表'.repeat(21), 'transactions']
			const schemas = ['sales', 'sales_eu', 'sales.eu', '_', '表'.repeat(21)]
			const tables = schemas.flatMap((schema) => names.map((name) => ({ schema, name })))
			const topics = [transactionsTopic(prefix), ...tables.map((table) => frameTopic(prefix, table))]
			// One by one: the broker compares new topics only with those that it has.
			for (const topic of topics) await make(topic)
			expect((await admin.listTopics()).filter((topic) => topics.includes(topic)).sort()).toEqual([...topics].sort())
		} finally {
			await admin.disconnect()
		}
	},
)
