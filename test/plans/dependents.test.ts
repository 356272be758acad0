import { closureHash, readDependents, readIncoming, type Sql } from '@reprieve/postgres'
import { expect, test } from 'vitest'
import { freshDatabase } from '../support/postgres.ts'

async function oidOf(sql: Sql, name: string): Promise<number> {
	const [row] = await sql<{ oid: number }[]>`select ${name}::regclass::oid::int8::float8 as oid`
	return Number(row?.oid)
}

test('foreign keys are followed through cascades to the end and no further', async () => {
	await using database = await freshDatabase()
	const { sql } = database
	await sql`create table public.a (id int primary key)`
	await sql`create table public.b (id int primary key, a int references public.a on delete cascade)`
	await sql`create table public.c (id int primary key, b int references public.b on delete set null, up int references public.c on delete cascade)`
	await sql`create table public.d (id int primary key, c int references public.c on delete cascade)`
	const keys = await readDependents(sql, [await oidOf(sql, 'public.a')])
	expect(keys.map((key) => [key.parent.name, key.onDelete, key.child.name, key.rewrites])).toEqual([
		['a', 'cascade', 'b', []],
		['b', 'setNull', 'c', ['b']],
	])
	expect(keys[0]?.operators).toEqual(['operator(pg_catalog.=)'])
})

test('a partition root stands for its leaves, and a key of one leaf speaks of that leaf alone', async () => {
	await using database = await freshDatabase()
	const { sql } = database
	await sql`create table public.p (id int, k int, primary key (id, k)) partition by list (k)`
	await sql`create table public.p1 partition of public.p for values in (1)`
	await sql`create table public.p2 partition of public.p for values in (2)`
	await sql`create table public.whole (id int primary key, p int, k int, foreign key (p, k) references public.p on delete cascade)`
	await sql`create table public.part (id int primary key, p int, k int, foreign key (p, k) references public.p1 on delete restrict)`
	const [leaf1, leaf2, root] = [
		await oidOf(sql, 'public.p1'),
		await oidOf(sql, 'public.p2'),
		await oidOf(sql, 'public.p'),
	]
	for (const oid of [root, leaf1]) {
		const keys = await readIncoming(sql, [oid])
		expect(keys.map((key) => [key.child.name, key.parent.oid, key.parent.rootOid, key.parent.leaves])).toEqual([
			['whole', root, root, [leaf1, leaf2]],
			['part', leaf1, root, [leaf1]],
		])
	}
})

test('the hash of a closure follows its foreign keys, triggers and rules, and nothing else', async () => {
	await using database = await freshDatabase()
	const { sql } = database
	await sql`create table public.p (id int primary key, v int) partition by range (id)`
	await sql`create table public.p1 partition of public.p for values from (0) to (10)`
	await sql`create function public.f() returns trigger language plpgsql as 'begin return old; end'`
	const oid = await oidOf(sql, 'public.p')
	const seen = new Set([await closureHash(sql, [oid])])
	await sql`create table public.p2 partition of public.p for values from (10) to (20)`
	await sql`alter table public.p add column w int`
	expect(seen).toContain(await closureHash(sql, [oid]))
	const changes = [
		'create table public.c (p int references public.p)',
		'create trigger t before delete on public.p2 for each row execute function public.f()',
		`create or replace function public.f() returns trigger language plpgsql as 'begin return null; end'`,
		'alter table public.p2 disable trigger t',
		'create rule r as on delete to public.p1 do instead nothing',
	]
	for (const [index, change] of changes.entries()) {
		await sql.unsafe(change)
		seen.add(await closureHash(sql, [oid]))
		expect(seen.size, change).toBe(index + 2)
	}
})
