import { randomUUID } from 'node:crypto'
import { type Finding, messagePrefix, ReprieveError } from '@reprieve/contracts'
import { readIdentity, type Sql, slotName } from '@reprieve/postgres'
import type { Kafka } from 'kafkajs'
import { pino } from 'pino'
import type { SidecarConfig } from '../config.ts'
import { openKafka } from '../kafka/client.ts'
import type { KafkaConfig } from '../kafka/config.ts'
import type { SessionOptions } from '../session.ts'
import { type Sidecar, type SidecarParts, startSessions } from '../start.ts'
import { checkConnector } from './connect.ts'
import { checkReplication, silentCode } from './replicated.ts'
import { runDebeziumSession } from './session.ts'

export type DebeziumConfig = {
	sidecar: SidecarConfig
	kafka: KafkaConfig
	/** REST of Kafka Connect; absent: the connector's settings are not checked. */
	connectUrl?: string
	/** Records to leave out, as `topic:partition:offset`. */
	skip?: readonly string[]
	/** Milliseconds between looks at connector and cluster. Default 10,000. */
	findingsMs?: number
	/** Milliseconds between looks for new topics while something is waited for. Default 1,000. */
	topicsMs?: number
	/** Milliseconds that an event of an ended transaction may be missing; more than the producer's own 120,000. Default 180,000. */
	patienceMs?: number
}

/**
 * Archives what Debezium's connector writes to Kafka, until stopped; of several only one reads, the others wait. As with
 * own capture what it cannot be sure of stops it, with an incident. The control schema must be migrated.
 */
export function startDebeziumArchive(config: DebeziumConfig, parts: SidecarParts): Sidecar {
	const log = parts.log ?? pino({ name: 'sidecar' })
	const kafka = openKafka(config.kafka, log)
	const runOne = async (session: SessionOptions) => {
		const { databaseOid } = await readIdentity(session.sql)
		await runDebeziumSession({
			...session,
			kafka,
			topics: config.kafka,
			findings: () => lookAround(config, { kafka, sql: session.sql, slot: slotName(databaseOid) }),
			skip: new Set(config.skip),
			findingsMs: config.findingsMs ?? 10_000,
			topicsMs: config.topicsMs ?? 1_000,
			patienceMs: config.patienceMs ?? 180_000,
		})
	}
	return startSessions(config.sidecar, { ...parts, log }, { runOne, duties: ['vault', 'protection'], isCapture: true })
}

type Surroundings = { kafka: Kafka; sql: Sql; slot: string }

async function lookAround(config: DebeziumConfig, { kafka, sql, slot }: Surroundings): Promise<Finding[]> {
	const { connectUrl, kafka: topics } = config
	const connector = connectUrl ? await checkConnector({ url: connectUrl, prefix: topics.prefix, slot }) : []
	const replication = await checkReplication(kafka, topics)
	if (replication.some((finding) => finding.code === silentCode)) await makeAChange(sql)
	return [...connector, ...replication]
}

/** The connector makes its topics with its first event: a barrier that nobody waits for is one. */
async function makeAChange(sql: Sql): Promise<void> {
	await sql`select pg_logical_emit_message(true, ${messagePrefix.barrier}, ${randomUUID()}::text)`
}

/** Refuses an address of Kafka Connect that carries a password or is no address. Throws INVALID. */
export function parseConnectUrl(text: string): string {
	const url = URL.canParse(text) ? new URL(text) : undefined
	if (url && /^https?:$/.test(url.protocol) && !url.username && !url.password) return text
	throw new ReprieveError('INVALID', 'REPRIEVE_CONNECT_URL is no http or https address without user and password')
}
