import { openKafka, parseConfig, startFramesArchive } from '@reprieve/sidecar'
import { pino } from 'pino'
import { expect, test } from 'vitest'
import { archivedRows, publish } from '../capture/ground.ts'
import { hasKafka } from '../support/kafka/shared.ts'
import { until } from '../support/wait.ts'
import { remakeTopic } from './archive-ground.ts'
import { type KafkaGround, kafkaGround } from './ground.ts'

test.runIf(hasKafka)('what capture sent to Kafka is in the vault once, also when both start anew', async () => {
	await using ground = await kafkaGround()
	const { sql, vault } = ground
	await sql`create table public.t (id int primary key, note text)`
	await sql`create table public.u (id int primary key, note text)`
	for (const table of ['t', 'u'])
		await sql.unsafe(`insert into public.${table} select n, repeat('x', n % 300) from generate_series(1, 4000) n`)
	const kafka = { partitions: 3 }
	let capture = await ground.capture({ kafka })
	await publish(ground, 'public.t', 'public.u')
	let archive = startArchive(ground)
	for (let at = 1; at <= 4_000; at += 100) {
		await sql.begin(async (tx) => {
			await tx`delete from public.t where id between ${at} and ${at + 99}`
			await tx`delete from public.u where id between ${at} and ${at + 99}`
		})
		if (at === 1_001) {
			await capture.stop()
			capture = await ground.capture({ kafka })
		}
		if (at === 2_001) {
			await archive.stop()
			archive = startArchive(ground)
		}
	}
	await ground.barrier()
	for (const table of ['t', 'u']) {
		const ids = (await archivedRows(vault, table)).map((row) => Number(row.values.id))
		expect(ids.length, table).toBe(4_000)
		expect(new Set(ids).size, table).toBe(4_000)
	}
	expect((await sql`select count(*)::int as n from reprieve.receipts`)[0]?.n).toBe(40)
	expect(await sql`select code, message from reprieve.incidents`).toEqual([])
	expect(await sql`select reason from reprieve.capture_gaps`).toEqual([])
	await archive.stop()
})

test.runIf(hasKafka)(
	'changes may come another way once everything sent is in the vault, and only then',
	async () => {
		await using ground = await kafkaGround()
		const { sql, vault } = ground
		await sql`create table public.t (id int primary key)`
		await sql`insert into public.t select generate_series(1, 400)`
		const remove = async (from: number) => await sql`delete from public.t where id between ${from} and ${from + 99}`
		const channel = async () => (await vault.lineages())[0]?.channel
		let capture = await ground.capture()
		await publish(ground, 'public.t')
		await remove(1)
		await capture.stop()
		expect(await channel()).toMatchObject({ kind: 'frames', epoch: 1, partitions: 1 })

		const starting = ground.capture({ kafka: { partitions: 3 } })
		await remove(101)
		const archive = startArchive(ground)
		capture = await starting
		await until(async () => (await channel())?.epoch === 2, 'the next epoch')
		expect(await channel()).toMatchObject({ kind: 'frames', partitions: 3 })
		await remove(201)
		await ground.barrier()
		await capture.stop()

		await ground.drain().ended
		await archive.stop()
		await ground.start()
		expect(await channel()).toMatchObject({ kind: 'stream', epoch: 3 })
		await remove(301)
		await ground.barrier()
		const ids = (await archivedRows(vault, 't')).map((row) => Number(row.values.id)).sort((a, b) => a - b)
		expect(ids).toEqual(Array.from({ length: 400 }, (_, at) => at + 1))
		expect(await sql`select code, message from reprieve.incidents where resolved_at is null`).toEqual([])
		expect(await sql`select reason from reprieve.capture_gaps`).toEqual([])
	},
	120_000,
)

test.runIf(hasKafka)(
	'rows that Kafka lost before they were archived are sent again by capture',
	async () => {
		await using ground = await kafkaGround()
		const { sql, vault, kafka, settings } = ground
		await sql`create table public.t (id int primary key)`
		await sql`insert into public.t select generate_series(1, 30)`
		await ground.capture()
		await publish(ground, 'public.t')
		const first = startArchive(ground)
		await sql`delete from public.t where id <= 10`
		await ground.barrier()
		await first.stop()
		await sql`delete from public.t where id between 11 and 20`
		const topic = `${settings.prefix}.public.t`
		const admin = kafka.admin()
		await admin.connect()
		await until(async () => Number((await admin.fetchTopicOffsets(topic))[0]?.high) > 1, 'the second frame')
		await admin.disconnect()
		await remakeTopic(kafka, topic)
		const second = startArchive(ground)
		await sql`delete from public.t where id > 20`
		await ground.barrier()
		const ids = (await archivedRows(vault, 't')).map((row) => Number(row.values.id))
		expect(ids).toEqual(Array.from({ length: 30 }, (_, at) => at + 1))
		await until(async () => (await sql`select from reprieve.incidents where resolved_at is null`).length === 0, 'peace')
		expect(await sql`select reason from reprieve.capture_gaps`).toEqual([])
		await second.stop()
	},
	120_000,
)

function startArchive({ url, vault, settings }: KafkaGround) {
	const log = pino({ level: process.env.CAPTURE_LOG ?? 'silent' })
	return startFramesArchive(
		{
			sidecar: parseConfig({ databaseUrl: url, upkeepMs: 0, lingerMs: 20 }),
			kafka: settings,
			lookMs: 100,
			patienceMs: 300,
		},
		{ vault, log, openKafka: (config) => openKafka(config, pino({ level: 'silent' })) },
	)
}
