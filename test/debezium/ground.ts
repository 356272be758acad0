import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { connectorConfig } from '@reprieve/contracts'
import { migrateControl } from '@reprieve/control'
import { parseConfig, type Sidecar, type SidecarConfig, startDebeziumArchive } from '@reprieve/sidecar'
import { openVaultAt, type Vault } from '@reprieve/vault'
import { Kafka, logLevel } from 'kafkajs'
import { pino } from 'pino'
import { sharedConnect } from '../support/kafka/shared.ts'
import { freshDatabase, type TestDatabase } from '../support/postgres.ts'
import { until } from '../support/wait.ts'

/** Brokers and a Kafka Connect worker with Debezium's connector. */
export type ConnectGround = {
	brokers: string[]
	/** Address of the worker's REST. */
	url: string
}

export type DebeziumGround = AsyncDisposable &
	TestDatabase & {
		vault: Vault
		/** Folder of the service's own files. */
		data: string
		vaultUrl: string
		connectUrl: string
		brokers: string[]
		/** `topic.prefix`, and the connector's name. */
		prefix: string
		slot: string
		start(options?: DebeziumStart): Promise<Sidecar>
		/** Posts the connector, with changes to the printed settings; waits until it streams. */
		connect(changes?: Record<string, string | undefined>): Promise<void>
		/** `stop` waits until nobody reads the slot, `resume` until somebody does. */
		connector(act: 'stop' | 'resume' | 'forget'): Promise<void>
		/** A client of the brokers, for what nobody should do to a topic. */
		kafka: Kafka
		/** Waits until a table's topic has so many records. */
		sentAtLeast(table: string, records: number): Promise<void>
		/** Incidents, oldest first, and the reasons of gaps. */
		troubles(): Promise<{ incidents: string[]; gaps: string[] }>
		/** Waits until everything committed before the call is in the vault. */
		barrier(withinMs?: number): Promise<void>
	}

type DebeziumStart = {
	sidecar?: Partial<SidecarConfig>
	acknowledge?: 'vault' | 'broker'
	connectUrl?: string
	patienceMs?: number
	skip?: string[]
}

/** A migrated database with a vault in a folder of its own, and what is needed to archive it through Debezium. */
export async function debeziumGround(given?: ConnectGround, vaultAt?: string): Promise<DebeziumGround> {
	const connect = given ?? (await sharedConnect())
	const database = await freshDatabase()
	await migrateControl(database.url)
	const folder = await mkdtemp(join(tmpdir(), 'reprieve-vault-'))
	const vaultUrl = vaultAt ?? pathToFileURL(join(folder, 'vault')).href
	const vault = openVaultAt(vaultUrl, database.name)
	const running = new Set<Sidecar>()
	const prefix = database.name
	const [row] = await database.sql<{ oid: number }[]>`
		select oid::int8::float8 as oid from pg_database where datname = current_database()`
	const slot = `reprieve_${row?.oid}`
	const rest = (path: string, init?: RequestInit) => fetch(new URL(path, connect.url), init)
	const kafka = new Kafka({ brokers: connect.brokers, logLevel: logLevel.NOTHING })
	const isRead = async (slotName: string, isActive = true) => {
		const found = await database.sql`
			select from pg_replication_slots where slot_name = ${slotName} and active = ${isActive} and confirmed_flush_lsn is not null`
		return found.length > 0
	}
	const status = async () => (await rest(`connectors/${prefix}/status`)).text()
	return {
		...database,
		vault,
		vaultUrl,
		data: folder,
		connectUrl: connect.url,
		brokers: connect.brokers,
		prefix,
		slot,
		async start(options = {}) {
			const { promise: streaming, resolve } = Promise.withResolvers<void>()
			const sidecar = startDebeziumArchive(
				{
					sidecar: parseConfig({
						...{ databaseUrl: database.url, upkeepMs: 0, protectMs: 0, acknowledgeMs: 0 },
						...options.sidecar,
					}),
					kafka: {
						...{ brokers: connect.brokers, tls: null, sasl: null, prefix, group: `${prefix}.archive` },
						...{ partitions: 1, replication: 1, retentionMs: 86_400_000, frameKey: new Uint8Array(32) },
						acknowledge: options.acknowledge ?? 'vault',
					},
					connectUrl: options.connectUrl,
					...{ findingsMs: 500, topicsMs: 200, patienceMs: options.patienceMs, skip: options.skip },
				},
				{
					vault,
					log: pino({ level: process.env.CAPTURE_LOG ?? 'silent' }),
					onState: (state) => state === 'streaming' && resolve(),
				},
			)
			running.add(sidecar)
			await Promise.race([streaming, sidecar.ended])
			return sidecar
		},
		async connect(changes = {}) {
			const { hostname, port, username, password } = new URL(database.url)
			const { config } = connectorConfig({
				...{ name: prefix, host: hostname, port: Number(port), database: database.name, user: username },
				...{ prefix, slot, replication: 1, passwordFile: '' },
			})
			const body = JSON.stringify({ ...config, 'database.password': password, ...changes })
			await until(async () => {
				const headers = { 'content-type': 'application/json' }
				const response = await rest(`connectors/${prefix}/config`, { method: 'PUT', headers, body }).catch(
					() => undefined,
				)
				return response?.ok
			}, 'Kafka Connect to take the connector')
			const slotName = changes['slot.name'] ?? slot
			await until(() => isRead(slotName), 'the connector to stream')
		},
		kafka,
		async connector(act) {
			const path = act === 'forget' ? 'offsets' : act
			const response = await rest(`connectors/${prefix}/${path}`, { method: act === 'forget' ? 'DELETE' : 'PUT' })
			if (!response.ok) throw new Error(`${act} of the connector answered ${response.status}: ${await response.text()}`)
			if (act !== 'forget') await until(() => isRead(slot, act === 'resume'), `${act} of the connector`)
		},
		async troubles() {
			const incidents = await database.sql`select code from reprieve.incidents order by at`
			const gaps = await database.sql`select reason from reprieve.capture_gaps`
			return { incidents: incidents.map(({ code }) => code), gaps: gaps.map(({ reason }) => reason) }
		},
		async sentAtLeast(table, records) {
			const admin = kafka.admin()
			await admin.connect()
			try {
				await until(async () => {
					const [place] = await admin.fetchTopicOffsets(`${prefix}.public.${table}`).catch(() => [])
					return Number(place?.high ?? 0) >= records
				}, `${records} records of ${table}`)
			} finally {
				await admin.disconnect()
			}
		},
		async barrier(withinMs = 40_000) {
			const nonce = crypto.randomUUID()
			await database.sql`select pg_logical_emit_message(true, 'reprieve.barrier', ${nonce})`
			await until(
				async () => (await database.sql`select 1 from reprieve.barriers where nonce = ${nonce}`).length,
				`barrier ${nonce}`,
				withinMs,
			).catch(async (cause) => {
				throw new Error(`${cause.message}; the connector: ${await status()}`, { cause })
			})
		},
		async [Symbol.asyncDispose]() {
			await Promise.all([...running].map((sidecar) => sidecar.stop()))
			await rest(`connectors/${prefix}`, { method: 'DELETE' }).catch(() => {})
			await database[Symbol.asyncDispose]()
			await rm(folder, { recursive: true, force: true })
		},
	}
}

/** Publishes ordinary tables to the connector, as protection does. */
export async function publishToDebezium({ sql }: TestDatabase, ...tables: string[]): Promise<void> {
	for (const table of tables) {
		await sql.unsafe(`alter table ${table} replica identity full`)
		await sql.unsafe(`alter publication reprieve_debezium add table ${table}`)
	}
}
