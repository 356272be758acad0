import { randomBytes, randomUUID } from 'node:crypto'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { migrateControl, openControl } from '@reprieve/control'
import { readIdentity, watchConnections } from '@reprieve/postgres'
import {
	type FramesConfig,
	type KafkaConfig,
	type KafkaParts,
	openKafka,
	parkRecord,
	parseConfig,
	type Sidecar,
	type SidecarConfig,
	startFramesArchive,
} from '@reprieve/sidecar'
import { openVaultAt, type Vault } from '@reprieve/vault'
import type { Kafka, KafkaMessage } from 'kafkajs'
import { pino } from 'pino'
import { sharedBroker } from '../support/kafka/shared.ts'
import { freshDatabase, type TestDatabase } from '../support/postgres.ts'
import { until } from '../support/wait.ts'
import { Sender, type SenderOptions } from './sender.ts'

/** Where the lineage begins. */
const beginning = 1_000_000n

type ArchiveStart = Partial<Omit<FramesConfig, 'sidecar' | 'kafka'>> & {
	sidecar?: Partial<SidecarConfig>
	kafka?: Partial<KafkaConfig>
	parts?: Partial<KafkaParts>
}

/** A migrated database with an open lineage whose changes come as frames, a vault, and a sender in capture's place. */
export type ArchiveGround = AsyncDisposable &
	TestDatabase & {
		vault: Vault
		vaultUrl: string
		lineage: string
		kafka: KafkaConfig
		client: Kafka
		sender: Sender
		openSender(options?: Partial<SenderOptions>, position?: bigint): Sender
		start(options?: ArchiveStart): Promise<Sidecar>
		/** Waits until everything before the position has its receipt in the control schema. */
		receipted(position: bigint, withinMs?: number): Promise<void>
		/** Rows of a table, as `id note`. */
		rows(table: string): Promise<string[]>
		/** Every record of a topic. */
		records(topic: string): Promise<KafkaMessage[]>
		/** Parks a record at which an archiver stands. */
		park(place: { topic: string; partition: number; offset: bigint }): Promise<string | undefined>
		/** Codes of unresolved incidents. */
		incidents(): Promise<string[]>
	}

export async function archiveGround(
	given: { brokers?: string[]; kafka?: Partial<KafkaConfig>; partitions?: number } = {},
): Promise<ArchiveGround> {
	const brokers = given.brokers ?? (await sharedBroker()).brokers
	const database = await freshDatabase()
	await migrateControl(database.url)
	const folder = await mkdtemp(join(tmpdir(), 'reprieve-vault-'))
	const vaultUrl = pathToFileURL(folder).href
	const vault = openVaultAt(vaultUrl, database.name)
	const { partitions = 1 } = given
	const prefix = database.name
	const kafka: KafkaConfig = {
		...{ brokers, tls: null, sasl: null, prefix, group: `${prefix}.archive`, partitions, replication: 1 },
		...{ retentionMs: 86_400_000, acknowledge: 'vault', frameKey: randomBytes(32), ...given.kafka },
	}
	const lineage = await openLineage(database, vault, { prefix, partitions })
	const client = openKafka({ brokers, tls: null, sasl: null }, pino({ level: 'silent' }))
	const senders: Sender[] = []
	const openSender: ArchiveGround['openSender'] = (options, position = beginning) => {
		const own = { kafka: client, key: kafka.frameKey, database: database.name, lineage, prefix, partitions }
		const sender = new Sender({ ...own, ...options }, position)
		senders.push(sender)
		return sender
	}
	const running = new Set<Sidecar>()
	return {
		...database,
		...{ vault, vaultUrl, lineage, kafka, client, openSender, sender: openSender() },
		async start({ sidecar: config, kafka: settings, parts, ...rest } = {}) {
			const { promise: streaming, resolve } = Promise.withResolvers<void>()
			const sidecar = startFramesArchive(
				{
					...{ lookMs: 100, ...rest, kafka: { ...kafka, ...settings } },
					sidecar: parseConfig({ databaseUrl: database.url, upkeepMs: 0, lingerMs: 20, backoffMs: 50, ...config }),
				},
				{
					...{ vault, log: pino({ level: process.env.CAPTURE_LOG ?? 'silent' }) },
					openKafka: (access) => openKafka(access, pino({ level: process.env.KAFKA_LOG ?? 'silent' })),
					...parts,
					onState: (state) => state === 'streaming' && resolve(),
				},
			)
			running.add(sidecar)
			await Promise.race([streaming, sidecar.ended])
			return sidecar
		},
		receipted: (position, withinMs) =>
			until(
				async () =>
					((await vault.transactions.archived(lineage)) ?? 0n) >= position && (await hasCopy(database, vault)),
				`receipts up to ${position}`,
				withinMs,
			).then(() => {}),
		rows: (table) => archivedNotes(vault, table),
		records: (topic) => readRecords(client, topic),
		async park(place) {
			const control = openControl(database.url, { max: 1, watch: watchConnections(database.url) })
			try {
				const ground = { kafka: client, sql: database.sql, control, vault }
				return await parkRecord(ground, { ...place, reason: 'a test', principal: 'tester' })
			} finally {
				await control.close()
			}
		},
		async incidents() {
			const found = await database.sql<{ code: string }[]>`
				select code from reprieve.incidents where resolved_at is null order by code`
			return found.map(({ code }) => code)
		},
		async [Symbol.asyncDispose]() {
			await Promise.all([...running].map((sidecar) => sidecar.stop()))
			await Promise.all(senders.map((sender) => sender.close()))
			await database[Symbol.asyncDispose]()
			await rm(folder, { recursive: true, force: true })
		},
	}
}

/** What capture writes when it opens a lineage and enters the channel of frames. */
async function openLineage(
	{ sql }: TestDatabase,
	vault: Vault,
	{ prefix, partitions }: { prefix: string; partitions: number },
): Promise<string> {
	const id = randomUUID()
	const { systemIdentifier, databaseOid, timeline } = await readIdentity(sql)
	const slot = `reprieve_${databaseOid}`
	await sql`
		insert into reprieve.lineages (id, system_identifier, database_oid, slot, timeline, channel, opened_at)
		values (${id}, ${systemIdentifier}, ${databaseOid}, ${slot}, ${timeline}, 'frames', now())`
	const channel = { epoch: 1, kind: 'frames', prefix, partitions } as const
	const openedAt = new Date().toISOString()
	await vault.putLineage({ id, systemIdentifier, databaseOid, slot, timeline, openedAt, channel, nonces: [] })
	await vault.transactions.append({ source: id, position: beginning, transactions: [] })
	return id
}

/** Whether the control schema has a receipt for every transaction with rows. */
async function hasCopy({ sql }: TestDatabase, vault: Vault): Promise<boolean> {
	const [row] = await sql<{ n: number }[]>`select count(*)::int as n from reprieve.receipts`
	const transactions = await Array.fromAsync(vault.transactions.read({}))
	return row?.n === transactions.filter(({ rows }) => Object.keys(rows).length > 0).length
}

async function archivedNotes(vault: Vault, name: string): Promise<string[]> {
	const notes: string[] = []
	for await (const { count, columns } of vault.table({ schema: 'public', name }).read({})) {
		const textOf = (column: (typeof columns)[number] | undefined, row: number) =>
			Buffer.from(column?.bytes.subarray(column.offsets[row], column.offsets[row + 1]) ?? []).toString()
		for (let row = 0; row < count; row++) notes.push(`${textOf(columns[0], row)} ${textOf(columns[1], row)}`)
	}
	return notes
}

async function readRecords(kafka: Kafka, topic: string): Promise<KafkaMessage[]> {
	const admin = kafka.admin()
	const consumer = kafka.consumer({ groupId: randomUUID(), maxWaitTimeInMs: 50 })
	await Promise.all([admin.connect(), consumer.connect()])
	try {
		const [place] = await admin.fetchTopicOffsets(topic)
		const records: KafkaMessage[] = []
		await consumer.subscribe({ topic, fromBeginning: true })
		await consumer.run({ autoCommit: false, eachMessage: async ({ message }) => void records.push(message) })
		await until(() => records.length >= Number(place?.high), `the records of ${topic}`)
		return records
	} finally {
		await Promise.all([consumer.disconnect(), admin.disconnect()])
	}
}

/** Deletes a topic and makes it again: its records are gone, and its offsets begin anew. */
export async function remakeTopic(kafka: Kafka, topic: string): Promise<void> {
	const admin = kafka.admin()
	await admin.connect()
	await admin.deleteTopics({ topics: [topic] })
	const topics = [{ topic, numPartitions: 1, replicationFactor: 1 }]
	await until(() => admin.createTopics({ topics, waitForLeaders: false }), 'the topic to be made again')
	await until(async () => (await admin.fetchTopicOffsets(topic).catch(() => [])).length > 0, 'its partition')
	await admin.disconnect()
}
