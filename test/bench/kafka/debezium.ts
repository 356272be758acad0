import { connectorConfig } from '@reprieve/contracts'
import { readIdentity, slotName } from '@reprieve/postgres'
import { startConnect } from '../../support/kafka/connect.ts'
import { until } from '../../support/wait.ts'
import { hold, type Outcome } from '../contest.ts'
import { fillTable, makeTable } from '../ground.ts'
import { streaming } from '../sidecars.ts'
import { type KafkaGround, startKafkaGround } from './ground.ts'

/** What makes Debezium fast, in ten lines. */
const tuned = {
	'max.batch.size': '16384',
	'max.queue.size': '65536',
	'poll.interval.ms': '20',
	'tombstones.on.delete': 'false',
	'extended.headers.enabled': 'false',
	'producer.override.batch.size': '262144',
	'producer.override.buffer.memory': '67108864',
	'producer.override.linger.ms': '5',
}

/** Own capture through Kafka to the receipt, beside Debezium's connector at its defaults feeding the same archiver. */
export async function benchDefaults(rows: number, rounds: number): Promise<Outcome> {
	return await benchDebezium(rows, rounds, false)
}

/** The same beside a connector that was tuned. */
export async function benchTuned(rows: number, rounds: number): Promise<Outcome> {
	return await benchDebezium(rows, rounds, true)
}

async function benchDebezium(rows: number, rounds: number, isTuned: boolean): Promise<Outcome> {
	await using own = await startKafkaGround()
	await using other = await startKafkaGround()
	await using connect = await startConnect({ brokers: other.broker.brokers })
	const [capture, archive] = [own.run('capture', '--sink', 'kafka'), own.run('archive')]
	const debezium = other.run('archive', '--source', 'debezium')
	await Promise.all([streaming(own), streaming(other)])
	await makeTable(own.sql, 'archived')
	await own.client.tables.protect({ tables: ['archived'], wait: 60 })
	await makeTable(other.sql, 'archived')
	await other.sql`alter table public.archived replica identity full`
	await other.sql`alter publication reprieve_debezium add table public.archived`
	await postConnector(other, connect, isTuned ? tuned : {})
	const pid = (started: { child: { pid?: number } }) => started.child.pid ?? 0
	return await hold({
		name: `kafka-debezium: commit to receipt, ${rows} rows in one transaction / Debezium ${isTuned ? 'with ten lines of tuning' : 'at its defaults'}`,
		rounds,
		ours: {
			command: 'sidecar capture --sink kafka; sidecar archive',
			processes: () => ({ capture: pid(capture), archive: pid(archive), broker: own.broker.pid }),
			prepare: () => prepare(own, rows),
			run: () => received(own, rows),
		},
		yardstick: {
			command: 'reprieve debezium config; sidecar archive --source debezium',
			processes: () => ({ connect: connect.pid, archive: pid(debezium), broker: other.broker.pid }),
			prepare: () => prepare(other, rows),
			run: () => received(other, rows),
		},
	})
}

async function prepare({ sql, client }: KafkaGround, rows: number): Promise<void> {
	await fillTable(sql, 'archived', rows)
	await client.archive.barrier({ timeoutMs: 600_000 })
	await sql`delete from public.archived`
}

async function received({ client }: KafkaGround, rows: number): Promise<number> {
	await client.archive.barrier({ timeoutMs: 600_000 })
	return rows
}

async function postConnector(
	{ sql, url, prefix }: KafkaGround,
	connect: { putConnector(name: string, config: Record<string, string>): Promise<void> },
	changes: Record<string, string>,
): Promise<void> {
	const { hostname, port, username, password } = new URL(url)
	const slot = slotName((await readIdentity(sql)).databaseOid)
	const { config } = connectorConfig({
		...{ name: prefix, host: hostname, port: Number(port), database: 'postgres', user: username },
		...{ prefix, slot, replication: 1, passwordFile: '' },
	})
	await connect.putConnector(prefix, { ...config, 'database.password': decodeURIComponent(password), ...changes })
	await until(
		async () => (await sql`select from pg_replication_slots where slot_name = ${slot} and active`).count > 0,
		'the connector to stream',
		60_000,
	)
}
