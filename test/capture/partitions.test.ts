import type { SidecarConfig } from '@reprieve/sidecar'
import { expect, test } from 'vitest'
import { archivedRows, captureGround, publish } from './ground.ts'

test('rows of leaves are archived under their root, in its column order, naming the leaf', async () => {
	await using ground = await partitioned()
	const { sql, vault } = ground
	await sql`delete from public.p where id in (1, 11)`
	await ground.barrier()
	const rows = await archivedRows(vault, 'p')
	expect(rows.map(({ leaf, op, values }) => [leaf, op, values])).toEqual([
		['p_low', 'delete', { id: '1', day: '1', note: 'n1' }],
		['p_high', 'delete', { id: '11', day: '11', note: 'n11' }],
	])
	expect(await vault.tables()).toEqual(expect.not.arrayContaining([{ schema: 'public', name: 'p_low' }]))
	expect((await sql`select rows from reprieve.receipts`)[0]?.rows).toEqual({ p: { deleted: 2, relinked: 0 } })
})

test('a row that changes its partition is a move, not a deletion', async () => {
	await using ground = await partitioned()
	const { sql, vault } = ground
	await sql.begin(async (tx) => {
		await tx`update public.p set day = 12, note = 'moved' where id = 2`
		await tx`update public.p set day = day + 1 where id between 3 and 4`
		await tx`update public.p set day = 10 where id between 5 and 6`
		await tx`delete from public.p where id = 1`
	})
	await ground.barrier()
	const rows = await archivedRows(vault, 'p')
	expect(rows.map(({ op, leaf, values }) => [op, leaf, values.id, values.day])).toEqual([
		['move', 'p_low', '2', '2'],
		['move', 'p_low', '5', '5'],
		['move', 'p_low', '6', '6'],
		['delete', 'p_low', '1', '1'],
	])
	const [transaction] = await Array.fromAsync(vault.transactions.read({}))
	expect(transaction?.rows).toEqual({ p: { deleted: 1, relinked: 0 } })
})

test('a row that memory must be made for on its way to another leaf is still a move', async () => {
	await using ground = await partitioned({ bufferBytes: 1024 })
	const { sql, vault } = ground
	for (const name of ['x', 'y']) await sql.unsafe(`alter table public.p add column ${name.repeat(60)} int`)
	await sql`update public.p set note = repeat('x', 5000) where id = 1`
	await sql`update public.p set day = 12 where id = 1`
	await ground.barrier()
	expect((await archivedRows(vault, 'p')).map(({ op, values }) => [op, values.id])).toEqual([['move', '1']])
})

test('a deletion followed by the insert of another row is a deletion', async () => {
	await using ground = await partitioned()
	const { sql, vault } = ground
	await sql.begin(async (tx) => {
		await tx`delete from public.p where id = 1`
		await tx`insert into public.p values (100, 15, 'other')`
		await tx`delete from public.p where id = 2`
		await tx`insert into public.p values (2, 3, 'same leaf')`
	})
	await ground.barrier()
	expect((await archivedRows(vault, 'p')).map((row) => [row.op, row.values.id])).toEqual([
		['delete', '1'],
		['delete', '2'],
	])
})

test('a foreign key that SET NULL rewrites is a relink with its new value, any other update is nothing', async () => {
	await using ground = await captureGround()
	const { sql, vault } = ground
	await sql`create table public.parent (id int primary key, name text)`
	await sql`create table public.child (id int primary key, parent int default 0 references public.parent on delete set null, note text)`
	await sql`insert into public.parent values (0, 'zero'), (1, 'a'), (2, 'b'), (3, 'c')`
	await sql`insert into public.child values (10, 1, 'x'), (11, 2, 'y'), (12, 3, 'z'), (13, null, 'n')`
	await ground.start()
	await publish(ground, 'public.parent', 'public.child')
	await sql`alter publication reprieve_relink add table public.child`
	await sql`update public.child set parent = null where id = 12`
	await sql`update public.child set note = 'other' where id = 10`
	await sql.begin(async (tx) => {
		await tx`update public.child set note = 'still' where id = 11`
		await tx`update public.child set parent = 0 where id = 11`
		await tx`delete from public.parent where id = 1`
		await tx`delete from public.parent where id = 2`
	})
	await ground.barrier()
	const rows = await archivedRows(vault, 'child')
	expect(rows.map(({ op, ordinal, values, rewritten }) => ({ op, ordinal, ...values, rewritten }))).toEqual([
		{ op: 'relink', ordinal: 1, id: '11', parent: '2', note: 'still', rewritten: { parent: '0' } },
		{ op: 'relink', ordinal: 3, id: '10', parent: '1', note: 'other', rewritten: { parent: null } },
	])
	const receipts = await sql`select rows from reprieve.receipts`
	expect(receipts.map((row) => row.rows)).toEqual([
		{ parent: { deleted: 2, relinked: 0 }, child: { deleted: 0, relinked: 2 } },
	])
})

test('an update of the key deletes nothing', async () => {
	await using ground = await captureGround()
	const { sql, vault } = ground
	await sql`create table public.t (id int primary key)`
	await sql`insert into public.t values (1), (2)`
	await ground.start()
	await publish(ground, 'public.t')
	await sql`alter publication reprieve_relink add table public.t`
	await sql`update public.t set id = 7 where id = 1`
	await sql`delete from public.t where id = 2`
	await ground.barrier()
	expect((await archivedRows(vault, 't')).map((row) => row.values.id)).toEqual(['2'])
})

test('columns that were dropped, added or reordered between deletions keep their own values', async () => {
	await using ground = await captureGround()
	const { sql, vault } = ground
	await sql`create table public.t (id int primary key, a text, b text)`
	await sql`insert into public.t values (1, 'a1', 'b1'), (2, 'a2', 'b2'), (3, 'a3', 'b3')`
	const sidecar = await ground.start()
	await publish(ground, 'public.t')
	await sql`delete from public.t where id = 1`
	await ground.barrier()
	await sidecar.stop()
	await sql`delete from public.t where id = 2`
	await sql.begin(async (tx) => {
		await tx`alter table public.t drop column a`
		await tx`alter table public.t add column c int default 5`
		await tx`delete from public.t where id = 3`
	})
	await ground.start()
	await ground.barrier()
	expect((await archivedRows(vault, 't')).map((row) => row.values)).toEqual([
		{ id: '1', a: 'a1', b: 'b1' },
		{ id: '2', a: 'a2', b: 'b2' },
		{ id: '3', b: 'b3', c: '5' },
	])
})

test('rows of a table that was dropped before they arrived are archived', async () => {
	await using ground = await captureGround()
	const { sql, vault } = ground
	await sql`create table public.gone (id int primary key, note varchar(9))`
	await sql`insert into public.gone values (1, 'x')`
	await (await ground.start()).stop()
	await publish(ground, 'public.gone')
	await sql`delete from public.gone`
	await sql`drop table public.gone`
	await ground.start()
	await ground.barrier()
	expect((await archivedRows(vault, 'gone')).map((row) => row.values)).toEqual([{ id: '1', note: 'x' }])
})

test('a table made anew under the name of one that was dropped keeps its own columns', async () => {
	await using ground = await captureGround()
	const { sql, vault } = ground
	const sidecar = await ground.start()
	await sql`create table public.t (id int primary key, note text)`
	await sql`insert into public.t values (1, 'old')`
	await publish(ground, 'public.t')
	await sql`delete from public.t`
	await ground.barrier()
	await sidecar.stop()
	await sql`drop table public.t`
	await sql`create table public.t (id int primary key, note text)`
	await sql`insert into public.t values (1, 'new')`
	await publish(ground, 'public.t')
	const [made] = await sql`select 'public.t'::regclass::oid::int as oid`
	await sql`delete from public.t`
	await sql`drop table public.t`
	await ground.start()
	await ground.barrier()
	expect((await archivedRows(vault, 't')).map((row) => row.values.note)).toEqual(['old', 'new'])
	const versions = await vault.table({ schema: 'public', name: 't' }).schemas()
	expect(versions.map((version) => version.oid === made?.oid)).toEqual([false, true])
})

async function partitioned(config: Partial<SidecarConfig> = {}) {
	const ground = await captureGround()
	const { sql } = ground
	await sql`create table public.p (id int, day int, note text, primary key (id, day)) partition by range (day)`
	await sql`create table public.p_low (note text, day int not null, id int not null)`
	await sql`alter table public.p attach partition public.p_low for values from (0) to (10)`
	await sql`create table public.p_high partition of public.p for values from (10) to (20)`
	await sql`insert into public.p select n, n, 'n' || n from generate_series(1, 12) n`
	await ground.start(config)
	await publish(ground, 'public.p_low', 'public.p_high')
	await sql`alter publication reprieve_move add table public.p_low, public.p_high`
	return ground
}
