import { expect, test } from 'vitest'
import { archivedRows } from '../capture/ground.ts'
import { hasKafka } from '../support/kafka/shared.ts'
import { until } from '../support/wait.ts'
import { type DebeziumGround, debeziumGround, publishToDebezium } from './ground.ts'

async function withCities(ground: DebeziumGround): Promise<void> {
	await ground.sql`create table public.city (id int primary key)`
	await ground.sql`insert into public.city select generate_series(1, 30)`
}

async function archivedIds({ vault }: DebeziumGround): Promise<number[]> {
	return (await archivedRows(vault, 'city')).map((row) => Number(row.values.id))
}

test.runIf(hasKafka)('messages outside of transactions, and an idle connector, are no hole', async () => {
	await using ground = await debeziumGround()
	const { sql } = ground
	await withCities(ground)
	await ground.start()
	await publishToDebezium(ground, 'public.city')
	await sql`create table public.elsewhere (id int)`
	await ground.connect({ 'heartbeat.interval.ms': '50' })
	await sql`select pg_logical_emit_message(false, 'app', 'before anything')`
	await sql`delete from public.city where id = 1`
	await sql`select pg_logical_emit_message(false, 'app', 'one')`
	await sql`select pg_logical_emit_message(false, 'app', 'two')`
	await sql`delete from public.city where id = 2`
	await sql.begin(async (tx) => {
		await tx`delete from public.city where id = 3`
		await sql`select pg_logical_emit_message(false, 'app', 'meanwhile')`
		await tx`delete from public.city where id = 4`
	})
	const [before] =
		await sql`select confirmed_flush_lsn as at from pg_replication_slots where slot_name = ${ground.slot}`
	await until(async () => {
		await sql`insert into public.elsewhere select generate_series(1, 1000)`
		const [now] = await sql`select confirmed_flush_lsn as at from pg_replication_slots where slot_name = ${ground.slot}`
		return now?.at !== before?.at
	}, 'the connector to acknowledge what is not published')
	await sql`delete from public.city where id = 5`
	await ground.barrier()
	expect(await archivedIds(ground)).toEqual([1, 2, 3, 4, 5])
	expect(await ground.troubles()).toEqual({ incidents: [], gaps: [] })
})

test.runIf(hasKafka)('ends that are gone from the transaction topic leave a gap that is recorded', async () => {
	await using ground = await debeziumGround()
	const { sql, kafka, prefix } = ground
	await withCities(ground)
	const first = await ground.start()
	await publishToDebezium(ground, 'public.city')
	await ground.connect()
	await sql`delete from public.city where id = 1`
	await ground.barrier()
	await first.stop()
	await sql`delete from public.city where id = 2`
	await ground.sentAtLeast('city', 2)
	await ground.connector('stop')
	const admin = kafka.admin()
	await admin.connect()
	await admin.deleteTopics({ topics: [`${prefix}.transaction`] })
	await admin.disconnect()
	await ground.connector('resume')
	await sql`delete from public.city where id = 3`
	await ground.start({ patienceMs: 1_000 })
	await ground.barrier()
	expect(await archivedIds(ground)).toEqual([1, 3])
	const gaps = ["the connector's topics lack transactions that it had read"]
	expect(await ground.troubles()).toEqual({ incidents: ['CAPTURE_GAP'], gaps })
})

test.runIf(hasKafka)('a topic that is made anew under a running archiver is read from its beginning', async () => {
	await using ground = await debeziumGround()
	const { sql, kafka, prefix } = ground
	await withCities(ground)
	await ground.start({ patienceMs: 2_000 })
	await publishToDebezium(ground, 'public.city')
	await ground.connect()
	for (const id of [1, 2, 3]) await sql`delete from public.city where id = ${id}`
	await ground.barrier()
	await ground.connector('stop')
	const admin = kafka.admin()
	await admin.connect()
	await admin.deleteTopics({ topics: [`${prefix}.transaction`, `${prefix}.public.city`] })
	await admin.disconnect()
	await ground.connector('resume')
	await sql`delete from public.city where id = 4`
	await ground.barrier()
	expect(await archivedIds(ground)).toEqual([1, 2, 3, 4])
	expect(await ground.troubles()).toEqual({ incidents: [], gaps: [] })
})

test.runIf(hasKafka)('a connector that lost its offsets but not its slot brings everything, once', async () => {
	await using ground = await debeziumGround()
	const { sql } = ground
	await withCities(ground)
	await ground.start()
	await publishToDebezium(ground, 'public.city')
	await ground.connect()
	await sql`delete from public.city where id <= 10`
	await ground.barrier()
	await ground.connector('stop')
	await sql`delete from public.city where id <= 20`
	await ground.connector('forget')
	await ground.connector('resume')
	await sql`delete from public.city where id <= 30`
	await ground.barrier()
	expect(await archivedIds(ground)).toEqual(Array.from({ length: 30 }, (_, at) => at + 1))
	const [receipts] = await sql`select count(*)::int from reprieve.receipts where rows <> '{}'`
	expect(receipts?.count).toBe(3)
})

test.runIf(hasKafka)('a connector that lost slot and offsets leaves a gap that is recorded', async () => {
	await using ground = await debeziumGround()
	const { sql } = ground
	await withCities(ground)
	await ground.start()
	await publishToDebezium(ground, 'public.city')
	await ground.connect()
	await sql`delete from public.city where id = 1`
	await ground.barrier()
	await ground.connector('stop')
	await sql`select pg_drop_replication_slot(${ground.slot})`
	await sql`delete from public.city where id = 2`
	await ground.connector('forget')
	await ground.connector('resume')
	await sql`delete from public.city where id = 3`
	await ground.barrier()
	expect(await archivedIds(ground)).toEqual([1, 3])
	const { incidents, gaps } = await ground.troubles()
	expect(incidents).toEqual(['CAPTURE_GAP'])
	expect(gaps).toEqual([expect.stringContaining('the connector began anew')])
})

test.runIf(hasKafka)('a record of somebody else stops the archiver until an operator leaves it out', async () => {
	await using ground = await debeziumGround()
	const { sql, kafka, prefix } = ground
	await withCities(ground)
	const sidecar = await ground.start()
	await publishToDebezium(ground, 'public.city')
	await ground.connect()
	await sql`delete from public.city where id = 1`
	await ground.barrier()
	const producer = kafka.producer()
	await producer.connect()
	const [sent] = await producer.send({ topic: `${prefix}.public.city`, messages: [{ value: '{"op":"d"}' }] })
	await producer.disconnect()
	await sql`delete from public.city where id = 2`
	await expect(sidecar.ended).rejects.toThrow('cannot be taken')
	expect(await ground.troubles()).toEqual({ incidents: ['POISON_RECORD'], gaps: [] })
	expect(await archivedIds(ground)).toEqual([1])
	const [incident] = await sql<{ remedy: string }[]>`select remedy from reprieve.incidents`
	const record = `${prefix}.public.city:0:${sent?.baseOffset}`
	expect(incident?.remedy).toContain(`REPRIEVE_KAFKA_SKIP=${record};`)
	await ground.start({ skip: [record] })
	await ground.barrier()
	expect(await archivedIds(ground)).toEqual([1, 2])
})

test.runIf(hasKafka)('a codec that nobody unpacks stops the archiver instead of silence', async () => {
	await using ground = await debeziumGround()
	const sidecar = await ground.start()
	await ground.connect({ 'producer.override.compression.type': 'lz4' })
	await ground.sql`select pg_logical_emit_message(true, 'app', 'anything')`
	await expect(sidecar.ended).rejects.toThrow('LZ4')
	expect((await ground.troubles()).incidents).toEqual(['UNREADABLE_BATCH'])
})
