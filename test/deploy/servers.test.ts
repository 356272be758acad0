import kafkajs from 'kafkajs'
import postgres from 'postgres'
import { describe, expect, test } from 'vitest'
import { startBroker } from '../support/kafka/broker.ts'
import { hasKafka } from '../support/kafka/shared.ts'
import { startCluster } from '../support/postgres.ts'
import { hasPrograms } from './programs.ts'
import { type ComposeService, openDeployment } from './project.ts'

/** Variables of the broker's image that say where it is, not how it works. */
const places = /^KAFKA_(LISTENERS|ADVERTISED_LISTENERS|CONTROLLER_QUORUM_VOTERS|LOG_DIRS|HEAP_OPTS)$/

describe.runIf(hasPrograms)('the servers of docker-compose.yml', { timeout: 120_000 }, () => {
	test('PostgreSQL 18 starts with the settings given, and has each of them', async () => {
		const { command } = await serviceOf('postgres')
		const given = (command ?? []).slice(1).map((word) => word.replace(/^-c/, '').split('=') as [string, string])
		expect(given.length).toBeGreaterThan(5)
		await using cluster = await startCluster(18, Object.fromEntries(given))
		const sql = postgres(cluster.url, { max: 1 })
		const rows = await sql<{ name: string; value: string }[]>`
			select name, setting as value from pg_settings where name in ${sql(given.map(([name]) => name))}`
		await sql.end()
		expect(Object.fromEntries(rows.map(({ name, value }) => [name, value]))).toEqual(Object.fromEntries(given))
	})

	test.runIf(hasKafka).each(['kafka', 'kafka-1'])(
		'the broker %s starts with the settings given, and has each of them',
		async (name) => {
			const { environment = {} } = await serviceOf(name)
			const given = Object.entries(environment)
				.filter(([variable]) => !places.test(variable))
				.map(([variable, value]) => [propertyOf(variable), value])
			expect(given.length).toBeGreaterThan(7)
			await using broker = await startBroker({ settings: Object.fromEntries(given) })
			const admin = new kafkajs.Kafka({ brokers: broker.brokers, logLevel: 0 }).admin()
			await admin.connect()
			const { resources } = await admin.describeConfigs({
				includeSynonyms: false,
				resources: [{ type: kafkajs.ConfigResourceTypes.BROKER, name: '1' }],
			})
			await admin.disconnect()
			const found = new Map(resources[0]?.configEntries.map((entry) => [entry.configName, entry.configValue]))
			expect(Object.fromEntries(given.map(([property]) => [property, found.get(property as string)]))).toEqual(
				Object.fromEntries(given),
			)
		},
	)
})

/** As the image names them: KAFKA_LOG_DIRS is log.dirs. */
function propertyOf(variable: string): string {
	return variable
		.replace(/^KAFKA_/, '')
		.toLowerCase()
		.replaceAll('_', '.')
}

async function serviceOf(name: string): Promise<ComposeService> {
	await using deployment = await openDeployment()
	await deployment.generate()
	const { project } = await deployment.load({ COMPOSE_PROFILES: 'own,debezium' })
	return project.services[name] as ComposeService
}
