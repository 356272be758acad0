import { expect, test } from 'vitest'
import { archivedRows } from '../capture/ground.ts'
import { hasKafka } from '../support/kafka/shared.ts'
import { debeziumGround, publishToDebezium } from './ground.ts'

test.runIf(hasKafka)('rows deleted by plain SQL are in the vault, with the transaction that deleted them', async () => {
	await using ground = await debeziumGround()
	const { sql, vault } = ground
	await sql`create table public.city (id bigint primary key, name text, at timestamptz)`
	await sql`insert into public.city select g, 'c' || g, '2026-01-02 03:04:05.123456+00' from generate_series(1, 5) g`
	await ground.start()
	await publishToDebezium(ground, 'public.city')
	await ground.connect()
	await sql.begin(async (tx) => {
		await tx`delete from public.city where id <= 2`
		await tx`insert into public.city values (9007199254740993, 'big', null)`
		await tx`delete from public.city where id > 4`
	})
	await ground.barrier()
	const rows = await archivedRows(vault, 'city')
	expect(rows.map((row) => row.values)).toEqual([
		{ id: '1', name: 'c1', at: '2026-01-02 03:04:05.123456+00' },
		{ id: '2', name: 'c2', at: '2026-01-02 03:04:05.123456+00' },
		{ id: '5', name: 'c5', at: '2026-01-02 03:04:05.123456+00' },
		{ id: '9007199254740993', name: 'big', at: null },
	])
	expect(new Set(rows.map((row) => row.xid)).size).toBe(1)
})
