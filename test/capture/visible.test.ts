import { isVisible } from '@reprieve/postgres'
import { expect, test } from 'vitest'
import { freshDatabase, startCluster } from '../support/postgres.ts'
import { until } from '../support/wait.ts'
import { archivedRows, captureGround, publish } from './ground.ts'

test('a commit that is in the log before it has taken effect is archived by the catalog that it made', async () => {
	await using cluster = await startCluster(18)
	await using ground = await captureGround(cluster)
	const { sql, vault } = ground
	await sql.unsafe(`alter database ${ground.name} set synchronous_commit = local`)
	await sql`create table public.p (id int primary key, note text) partition by range (id)`
	await sql`create table public.p_low partition of public.p for values from (0) to (10)`
	await sql`insert into public.p select n, 'n' || n from generate_series(1, 5) n`
	await ground.start()
	await publish(ground, 'public.p_low')
	await sql`delete from public.p where id = 1`
	await ground.barrier()

	await sql`alter system set synchronous_standby_names = 'nobody'`
	await sql`select pg_reload_conf()`
	await until(async () => (await sql`show synchronous_standby_names`)[0]?.synchronous_standby_names, 'the setting')
	const committing = sql.begin(async (tx) => {
		await tx`set local synchronous_commit = on`
		await tx`alter table public.p detach partition public.p_low`
		await tx`delete from public.p_low where id = 2`
	})
	const looks = () => sql`
		select from pg_stat_activity where application_name = 'reprieve sidecar' and query like '%pg_visible_in_snapshot%'`
	await until(
		async () => (await sql`select from pg_stat_activity where wait_event = 'SyncRep'`).count,
		'a commit that waits',
	)
	const archived = async () => (await archivedRows(vault, 'p')).length
	await until(async () => (await looks()).count || (await archived()) > 1, 'capture to come to it')
	expect(await archived()).toBe(1)
	await sql`alter system reset synchronous_standby_names`
	await sql`select pg_reload_conf()`
	await committing
	await ground.barrier()
	const labels = async (table: string) =>
		(await archivedRows(vault, table)).map(({ leaf, values }) => [leaf, values.id])
	expect(await labels('p')).toEqual([['p_low', '1']])
	expect(await labels('p_low')).toEqual([[null, '2']])
}, 60_000)

test('a transaction is visible from the moment that others see what it did, whatever its number', async () => {
	await using database = await freshDatabase()
	const { sql } = database
	const seen = await sql.begin(async (tx) => {
		const [row] = await tx<{ xid: number }[]>`select (pg_current_xact_id()::text::int8 & 4294967295)::float8 as xid`
		const xid = Number(row?.xid)
		return { xid, inside: await isVisible(sql, xid) }
	})
	expect(seen.inside).toBe(false)
	expect(await isVisible(sql, seen.xid)).toBe(true)
	expect(await isVisible(sql, 3)).toBe(true)
	expect(await isVisible(sql, seen.xid + 1_000_000)).toBe(false)
})
