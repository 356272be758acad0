import { parseConfig, startSidecar } from '@reprieve/sidecar'
import { pino } from 'pino'
import { expect, test } from 'vitest'
import { archivedRows } from '../capture/ground.ts'
import { hasKafka } from '../support/kafka/shared.ts'
import { debeziumGround, publishToDebezium } from './ground.ts'

test.runIf(hasKafka)('events that waited while columns changed are read as what they were, or not at all', async () => {
	await using ground = await debeziumGround()
	const { sql, vault } = ground
	await sql`create table public.city (id int primary key, gone text, size int, secret bytea, tag text)`
	await sql`insert into public.city select g, 'gone', g, '\\x616263', 't' from generate_series(1, 9) g`
	const first = await ground.start()
	await publishToDebezium(ground, 'public.city')
	await ground.connect()
	await sql`delete from public.city where id = 1`
	await ground.barrier()
	await first.stop()
	await sql`delete from public.city where id = 2`
	await ground.sentAtLeast('city', 2)
	await sql`alter table public.city add column late int default 5`
	await sql`alter table public.city drop column gone`
	await sql`alter table public.city alter column size type text using 's' || size`
	await sql`delete from public.city where id = 4`
	await ground.sentAtLeast('city', 3)
	await ground.start()
	await ground.barrier()
	await sql`delete from public.city where id = 5`
	await ground.barrier()
	const rows = await archivedRows(vault, 'city')
	const pick = ({ values }: (typeof rows)[number]) => [values.id, values.gone, values.size, values.late]
	expect(rows.map(pick)).toEqual([
		['1', 'gone', '1', undefined],
		['2', 'gone', '2', undefined],
		['4', undefined, 's4', '5'],
		['5', undefined, 's5', '5'],
	])
	expect(await ground.troubles()).toEqual({ incidents: [], gaps: [] })
})

test.runIf(hasKafka)('a value that the old and the new type would read differently is never guessed', async () => {
	await using ground = await debeziumGround()
	const { sql, vault } = ground
	await sql`create table public.city (id int primary key, secret bytea)`
	await sql`insert into public.city select g, '\\x616263' from generate_series(1, 3) g`
	const first = await ground.start()
	await publishToDebezium(ground, 'public.city')
	await ground.connect()
	await sql`delete from public.city where id = 1`
	await ground.barrier()
	await first.stop()
	await sql`delete from public.city where id = 2`
	await ground.sentAtLeast('city', 2)
	await sql`alter table public.city alter column secret type text using 'plain'`
	await ground.start()
	await ground.barrier()
	await sql`delete from public.city where id = 3`
	await ground.barrier()
	const rows = await archivedRows(vault, 'city')
	expect(rows.map(({ values }) => [values.id, values.secret])).toEqual([
		['1', '\\x616263'],
		['3', 'plain'],
	])
	expect((await ground.troubles()).incidents).toEqual(['LOSSY_VALUE'])
})

test.runIf(hasKafka)('a switch from own capture to Debezium and back loses nothing', async () => {
	await using ground = await debeziumGround()
	const { sql, vault } = ground
	await sql`create table public.city (id int primary key)`
	await sql`insert into public.city select generate_series(1, 3)`
	await capture(async () => {
		await sql`alter table public.city replica identity full`
		await sql`alter publication reprieve add table public.city`
		await sql`delete from public.city where id = 1`
		await ground.barrier()
	})
	const archiver = await ground.start()
	await publishToDebezium(ground, 'public.city')
	await ground.connect()
	await sql`delete from public.city where id = 2`
	await ground.barrier()
	await ground.connector('stop')
	await archiver.stop()
	await capture(async () => {
		await sql`delete from public.city where id = 3`
		await ground.barrier()
	})
	expect((await archivedRows(vault, 'city')).map(({ values }) => values.id)).toEqual(['1', '2', '3'])
	expect((await ground.troubles()).gaps).toEqual([])

	async function capture(work: () => Promise<void>): Promise<void> {
		const { promise: streaming, resolve } = Promise.withResolvers<void>()
		const config = parseConfig({ databaseUrl: ground.url, upkeepMs: 0, protectMs: 0, acknowledgeMs: 0 })
		const onState = (state: string) => state === 'streaming' && resolve()
		const sidecar = startSidecar(config, { vault, log: pino({ level: 'silent' }), onState })
		await Promise.race([streaming, sidecar.ended])
		await work()
		await sidecar.stop()
	}
})
