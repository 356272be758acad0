import { frameTopic, transactionsTopic } from '@reprieve/cdc'
import { protectTable } from '@reprieve/postgres'
import { AclOperationTypes, AclPermissionTypes, AclResourceTypes, type Admin, ResourcePatternTypes } from 'kafkajs'
import { expect, test } from 'vitest'
import { startBroker } from '../support/kafka/broker.ts'
import { hasKafka } from '../support/kafka/shared.ts'
import { until } from '../support/wait.ts'
import { type KafkaGround, kafkaGround } from './ground.ts'

test.runIf(hasKafka)('protected tables have their topics before their first rows', async () => {
	await using ground = await kafkaGround()
	const { sql } = ground
	const many = Array.from({ length: 130 }, (_, at) => `many_${at}`)
	for (const name of many) await sql.unsafe(`create table public.${name} (id int primary key)`)
	await sql`create table public.parted (id int primary key) partition by range (id)`
	await sql`create table public.leaf partition of public.parted for values from (0) to (10)`
	await sql`create table public.bare (id int primary key)`
	await protect(ground, many[0] as string)
	await using admin = await openAdmin(ground)
	await ground.capture({ kafka: { partitions: 2 } })
	await hasTopics(ground, admin, [many[0] as string])

	await protect(ground, ...many, 'parted')
	await hasTopics(ground, admin, [...many, 'parted'])
	const { resources } = await admin.describeConfigs({
		includeSynonyms: false,
		resources: [{ type: 2, name: topicOf(ground, 'many_129'), configNames: ['retention.ms', 'cleanup.policy'] }],
	})
	const entries = resources[0]?.configEntries.map(({ configName, configValue }) => [configName, configValue])
	expect(Object.fromEntries(entries ?? [])).toEqual({ 'retention.ms': '3600000', 'cleanup.policy': 'delete' })

	await sql`alter table public.many_7 rename to renamed`
	await hasTopics(ground, admin, ['renamed'])
	const { topics } = await admin.fetchTopicMetadata()
	const ours = topics.filter(({ name }) => name.startsWith(`${ground.settings.prefix}.`))
	expect(new Set(ours.map(({ name }) => name))).toEqual(
		new Set([
			...[...many, 'parted', 'renamed'].map((name) => topicOf(ground, name)),
			transactionsTopic(ground.settings.prefix),
		]),
	)
	expect(ours.filter(({ partitions }) => partitions.length !== 2).map(({ name }) => name)).toEqual([
		transactionsTopic(ground.settings.prefix),
	])
	expect(ground.warnings).toEqual([])
})

test.runIf(hasKafka)(
	'a principal that may make no topics captures into those that there are, and names the one that is missing',
	async () => {
		await using broker = await startBroker({
			...{ secure: true, settings: { 'authorizer.class.name': authorizer, 'super.users': 'User:ANONYMOUS' } },
		})
		const { secure } = broker
		if (!secure) throw new Error('no listener')
		await using ground = await kafkaGround(broker)
		const { sql, settings } = ground
		await using admin = await openAdmin(ground)
		await allow(admin, { prefix: settings.prefix, username: secure.username })
		const make = (topic: string) => admin.createTopics({ topics: [{ topic, numPartitions: 1, replicationFactor: 1 }] })
		await make(transactionsTopic(settings.prefix))
		await make(topicOf(ground, 't'))
		for (const name of ['t', 'u']) {
			await sql.unsafe(`create table public.${name} (id int primary key)`)
			await sql.unsafe(`insert into public.${name} select generate_series(1, 9)`)
		}
		const { brokers, ca, username, password } = secure
		const sasl = { mechanism: 'scram-sha-512', username, password } as const
		await ground.capture({ kafka: { brokers, tls: { ca }, sasl } })
		await protect(ground, 't', 'u')
		const warned = (text: string) => ground.warnings.some((line) => line.includes(text))
		await until(() => warned('could not be made before their first rows'), 'the refusal')
		await sql`delete from public.t`
		await until(async () => (await ground.frames(topicOf(ground, 't'))).length > 0, 'the rows of t')
		expect(await sql`select state from reprieve.capture_state`).toEqual([{ state: 'streaming' }])

		await sql`delete from public.u`
		await until(() => warned('a topic is missing and could not be made'), 'the missing topic to be named')
		expect(ground.warnings.join('\n')).toContain(topicOf(ground, 'u'))
		await make(topicOf(ground, 'u'))
		await until(async () => (await ground.frames(topicOf(ground, 'u'))).length > 0, 'the rows of u', 60_000)
	},
	180_000,
)

const authorizer = 'org.apache.kafka.metadata.authorizer.StandardAuthorizer'

const topicOf = ({ settings }: KafkaGround, name: string) => frameTopic(settings.prefix, { schema: 'public', name })

async function protect({ sql }: KafkaGround, ...tables: string[]): Promise<void> {
	for (const table of tables) {
		const [row] = await sql<{ oid: number }[]>`select ${`public.${table}`}::regclass::oid::int8::float8 as oid`
		const { refusals } = await protectTable(sql, row?.oid ?? 0)
		expect(refusals).toEqual([])
	}
}

async function hasTopics(ground: KafkaGround, admin: Admin, tables: string[]): Promise<void> {
	await until(async () => {
		const topics = new Set(await admin.listTopics())
		return tables.every((table) => topics.has(topicOf(ground, table)))
	}, 'the topics')
}

async function openAdmin({ kafka }: KafkaGround): Promise<Admin & AsyncDisposable> {
	const admin = kafka.admin()
	await admin.connect()
	return Object.assign(admin, { [Symbol.asyncDispose]: () => admin.disconnect() })
}

/** What capture needs but for making topics. */
async function allow(admin: Admin, { prefix, username }: { prefix: string; username: string }): Promise<void> {
	const { DESCRIBE, DESCRIBE_CONFIGS, READ, WRITE } = AclOperationTypes
	const entry = (resourceType: AclResourceTypes) => (operation: AclOperationTypes) => ({
		...{ resourceType, resourceName: prefix, resourcePatternType: ResourcePatternTypes.PREFIXED, operation },
		...{ principal: `User:${username}`, host: '*', permissionType: AclPermissionTypes.ALLOW },
	})
	await admin.createAcls({
		acl: [
			...[DESCRIBE, DESCRIBE_CONFIGS, READ, WRITE].map(entry(AclResourceTypes.TOPIC)),
			entry(AclResourceTypes.GROUP)(READ),
		],
	})
}
