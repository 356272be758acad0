import { expect, test } from 'vitest'
import { postgresVersions, startCluster } from '../support/postgres.ts'
import { until } from '../support/wait.ts'
import { archivedRows, captureGround, publish } from './ground.ts'

test.each(postgresVersions)('PostgreSQL %i: deletes, moves and generated columns are archived', async (version) => {
	await using cluster = await startCluster(version)
	await using ground = await captureGround(cluster)
	const { sql, vault } = ground
	await sql`create table public.t (id int primary key, twice int generated always as (id * 2) stored, note text)`
	await sql`insert into public.t (id, note) values (1, 'a'), (2, 'b')`
	await sql`create table public.p (id int, day int, primary key (id, day)) partition by range (day)`
	await sql`create table public.p1 partition of public.p for values from (0) to (10)`
	await sql`create table public.p2 partition of public.p for values from (10) to (20)`
	await sql`insert into public.p values (1, 1), (2, 2)`
	await ground.start()
	await publish(ground, 'public.t', 'public.p1', 'public.p2')
	await sql`alter publication reprieve_move add table public.p1, public.p2`
	await sql`delete from public.t`
	await sql`update public.p set day = 11 where id = 1`
	await sql`delete from public.p where id = 2`
	await ground.barrier()
	const rows = await archivedRows(vault, 't')
	expect(rows.map(({ values }) => [values.id, values.note])).toEqual([
		['1', 'a'],
		['2', 'b'],
	])
	expect((await archivedRows(vault, 'p')).map(({ op, values }) => [op, values.id])).toEqual([
		['move', '1'],
		['delete', '2'],
	])
	expect(await sql`select code, message from reprieve.incidents`).toEqual([])
})

test('a walsender that must wait for us keeps the connection: status goes out while the stream is paused', async () => {
	await using cluster = await startCluster(18, { wal_sender_timeout: '2s' })
	await using ground = await captureGround(cluster)
	const { sql, vault } = ground
	await sql`create table public.t (id int primary key, note text)`
	await sql`insert into public.t select n, repeat('x', 1000) from generate_series(1, 60000) n`
	let isHeld = true
	const held: { release?: () => void } = {}
	const holding = new Proxy(vault, {
		get(target, property, receiver) {
			if (property !== 'table') return Reflect.get(target, property, receiver)
			return (name: Parameters<typeof vault.table>[0]) => hold(target.table(name), () => isHeld, held)
		},
	})
	const sidecar = await ground.start({ bufferBytes: 1024 * 1024 }, { vault: holding })
	await publish(ground, 'public.t')
	const [before] = await sql`select active_pid as pid from pg_replication_slots`
	await sql`delete from public.t`
	const started = Date.now()
	await until(() => Date.now() - started > 5_000, 'more than twice the timeout')
	const [after] = await sql`select active_pid as pid from pg_replication_slots`
	isHeld = false
	held.release?.()
	expect(after?.pid).toBe(before?.pid)
	await ground.barrier()
	expect(await vault.table({ schema: 'public', name: 't' }).rowCount()).toBe(60_000)
	await sidecar.stop()
})

/** A table whose first write waits until it is released. */
function hold<T extends { write: (...args: never[]) => Promise<unknown> }>(
	table: T,
	isHeld: () => boolean,
	held: { release?: () => void },
): T {
	return new Proxy(table, {
		get(target, property, receiver) {
			if (property !== 'write' || !isHeld()) return Reflect.get(target, property, receiver)
			return async (...args: never[]) => {
				await new Promise<void>((resolve) => {
					held.release = resolve
				})
				return await target.write(...args)
			}
		},
	})
}
