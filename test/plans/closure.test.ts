import { expect, test } from 'vitest'
import { startCluster } from '../support/postgres.ts'
import { bodyOf, openGround, plan, rowsOf } from './support.ts'

const all = { kind: 'match', where: { and: [] } } as const

test.for([15, 18] as const)(
	'cascades are planned as deletions, set null as relinks, on PostgreSQL %i',
	async (version) => {
		await using cluster = version === 18 ? undefined : await startCluster(version)
		await using ground = await openGround({}, cluster)
		const { sql } = ground.database
		await sql`create table public.a (id int primary key, code text unique)`
		await sql`create table public.b (id int, part text, a text references public.a (code) on delete cascade, primary key (part, id))`
		await sql`create table public.c (id int primary key, b int, part text, other int,
		foreign key (part, b) references public.b (part, id) on delete set null (b))`
		await sql`create table public.d (id int primary key, a int default 0 references public.a on delete set default)`
		await sql`insert into public.a values (0, 'zero'), (1, 'one'), (2, 'two')`
		await sql`insert into public.b values (1, 'x', 'one'), (2, 'x', 'two'), (3, 'x', null)`
		await sql`insert into public.c values (1, 1, 'x', 7), (2, 3, 'x', 7), (3, 1, null, 7)`
		await sql`insert into public.d values (1, 1), (2, 2)`
		const made = await plan(ground.services, { kind: 'match', table: 'a', where: { column: 'id', op: 'eq', value: 1 } })
		expect(made).toMatchObject({
			rows: 1,
			blocked: 0,
			dependents: [
				{ table: 'b', action: 'delete', rows: 1 },
				{ table: 'd', action: 'setDefault', rows: 1 },
				{ table: 'c', action: 'setNull', rows: 1 },
			],
		})
		expect(
			(await bodyOf(ground.services, made.id)).tables.map((table) => [table.table, table.rewrites, table.foreignKey]),
		).toEqual([
			['a', [], undefined],
			['b', [], 'b_a_fkey'],
			['d', ['a'], 'd_a_fkey'],
			['c', ['b'], 'c_part_b_fkey'],
		])
		expect(await rowsOf(ground.services, made.id)).toEqual([
			{ table: 'a', action: 'delete', key: { id: 1 } },
			{ table: 'b', action: 'delete', key: { part: 'x', id: 1 } },
			{ table: 'd', action: 'setDefault', key: { id: 1 } },
			{ table: 'c', action: 'setNull', key: { id: 1 } },
		])
	},
)

test('a row that children hold is left out with its closure, refused, or goes with them', async () => {
	await using ground = await openGround()
	const { sql } = ground.database
	await sql`create table public.a (id int primary key)`
	await sql`create table public.b (id int primary key, a int references public.a on delete cascade)`
	await sql`create table public.c (id int primary key, b int references public.b on delete restrict)`
	await sql`insert into public.a values (1), (2)`
	await sql`insert into public.b values (10, 1), (11, 1), (20, 2)`
	await sql`insert into public.c values (100, 10)`
	expect(await plan(ground.services, { ...all, table: 'a' })).toMatchObject({
		rows: 1,
		blocked: 1,
		dependents: [{ table: 'b', action: 'delete', rows: 1 }],
	})
	await expect(plan(ground.services, { ...all, table: 'a', onRestrict: 'refuse' })).rejects.toMatchObject({
		code: 'CONFLICT',
		message: expect.stringMatching(/1 planned rows of b are held by c \(c_b_fkey\), {"id" : 10}/),
	})
	expect(await plan(ground.services, { ...all, table: 'a', onRestrict: 'include' })).toMatchObject({
		rows: 2,
		blocked: 0,
		dependents: [
			{ table: 'b', action: 'delete', rows: 3 },
			{ table: 'c', action: 'delete', rows: 1 },
		],
	})
})

test('a relink that a NOT NULL column would refuse holds the parent', async () => {
	await using ground = await openGround()
	await ground.database.sql`create table public.a (id int primary key)`
	await ground.database
		.sql`create table public.b (id int primary key, a int not null references public.a on delete set null)`
	await ground.database.sql`insert into public.a values (1), (2)`
	await ground.database.sql`insert into public.b values (1, 1)`
	expect(await plan(ground.services, { ...all, table: 'a' })).toMatchObject({ rows: 1, blocked: 1, dependents: [] })
})

test('a default that goes too, or was never there, holds the parent of the row that would get it', async () => {
	await using ground = await openGround()
	const { sql } = ground.database
	await sql`create table public.a (id int, part int, primary key (id, part))`
	await sql`create table public.b (id int primary key, a int default 0, part int,
		foreign key (a, part) references public.a on delete set default (a))`
	await sql`insert into public.a values (0, 1), (1, 1), (2, 2), (3, 1), (4, 1)`
	await sql`insert into public.b values (1, 1, 1), (2, 2, 2), (3, 4, null)`
	expect(await plan(ground.services, { ...all, table: 'a' })).toMatchObject({ rows: 3, blocked: 2, dependents: [] })
	await expect(plan(ground.services, { ...all, table: 'a', onRestrict: 'refuse' })).rejects.toMatchObject({
		code: 'CONFLICT',
		message: expect.stringMatching(/2 planned rows of a are held by b \(b_a_part_fkey\)/),
	})
	const where = { column: 'id', op: 'eq', value: 1 } as const
	expect(await plan(ground.services, { kind: 'match', table: 'a', where })).toMatchObject({ rows: 1, blocked: 0 })
})

test('a default that would leave a MATCH FULL reference half NULL holds the parent', async () => {
	await using ground = await openGround()
	const { sql } = ground.database
	await sql`create table public.a (id int, part int, primary key (id, part))`
	await sql`create table public.b (id int primary key, a int default 0, part int,
		foreign key (a, part) references public.a match full on delete set default)`
	await sql`insert into public.a values (0, 0), (1, 1), (2, 2)`
	await sql`insert into public.b values (1, 1, 1)`
	expect(await plan(ground.services, { ...all, table: 'a' })).toMatchObject({ rows: 2, blocked: 1, dependents: [] })
})

test('a dependent that cannot be named holds its parent', async () => {
	await using ground = await openGround()
	await ground.database.sql`create table public.a (id int primary key)`
	await ground.database.sql`create table public.b (a int references public.a on delete cascade)`
	await ground.database.sql`insert into public.a values (1), (2)`
	await ground.database.sql`insert into public.b values (1)`
	expect(await plan(ground.services, { ...all, table: 'a' })).toMatchObject({ rows: 1, blocked: 1 })
})

test('a duplicate stays when its keeper would go as a dependent, and dependents have no keeper', async () => {
	await using ground = await openGround()
	const { sql } = ground.database
	await sql`create table public.t (id int primary key, g int, up int references public.t on delete cascade)`
	await sql`insert into public.t values (1, 1, null), (2, 1, null), (3, 2, 2), (4, 2, null), (5, 9, 2)`
	const made = await plan(ground.services, {
		kind: 'duplicates',
		table: 't',
		key: ['g'],
		keep: { orderBy: [{ column: 'id' }] },
	})
	expect(made).toMatchObject({ rows: 1, blocked: 1, dependents: [{ table: 't', action: 'delete', rows: 2 }] })
	expect(await rowsOf(ground.services, made.id)).toEqual([
		{ table: 't', action: 'delete', key: { id: 2 }, keeper: { id: 1 } },
		{ table: 't', action: 'delete', key: { id: 3 } },
		{ table: 't', action: 'delete', key: { id: 5 } },
	])
})

test('partitions are planned under their root with the leaf of each row', async () => {
	await using ground = await openGround()
	const { sql } = ground.database
	await sql`create table public.p (id int, k int, primary key (id, k)) partition by list (k)`
	await sql`create table public.p1 partition of public.p for values in (1)`
	await sql`create table public.p2 partition of public.p for values in (2) partition by range (id)`
	await sql`create table public.p2a partition of public.p2 for values from (0) to (100)`
	await sql`create table public.c (id int, p int, k int, primary key (id, k), foreign key (p, k) references public.p on delete cascade) partition by hash (id, k)`
	await sql`create table public.c1 partition of public.c for values with (modulus 2, remainder 0)`
	await sql`create table public.c2 partition of public.c for values with (modulus 2, remainder 1)`
	await sql`insert into public.p values (1, 1), (1, 2), (2, 2)`
	await sql`insert into public.c select i, 1, 1 + i % 2 from generate_series(1, 10) i`
	const made = await plan(ground.services, { kind: 'match', table: 'p', where: { column: 'id', op: 'eq', value: 1 } })
	expect(made).toMatchObject({ table: 'p', rows: 2, dependents: [{ table: 'c', action: 'delete', rows: 10 }] })
	const name = (await bodyOf(ground.services, made.id)).tables[0]?.rowsTable
	const leaves = await sql.unsafe(`select leaf::regclass::text as leaf from reprieve.${name} order by unit`)
	expect(leaves.map((row) => row.leaf)).toEqual(['public.p1', 'public.p2a'])
	expect(await plan(ground.services, { ...all, table: 'p2a' })).toMatchObject({
		table: 'p',
		rows: 2,
		dependents: [{ rows: 5 }],
	})
})

test('rows of inheritance children are told apart by their table', async () => {
	await using ground = await openGround()
	const { sql } = ground.database
	await sql`create table public.t (id int primary key, g int)`
	await sql`create table public.heir (primary key (id)) inherits (public.t)`
	await sql`create table public.c (id int primary key, t int references public.t on delete cascade)`
	await sql`insert into public.t values (1, 1), (2, 2)`
	await sql`insert into public.heir values (1, 1)`
	await sql`insert into public.c values (1, 1)`
	const made = await plan(ground.services, {
		kind: 'duplicates',
		table: 't',
		key: ['g'],
		keep: { orderBy: [{ column: 'id' }] },
	})
	expect(made).toMatchObject({ rows: 1, dependents: [] })
	const name = (await bodyOf(ground.services, made.id)).tables[0]?.rowsTable
	const [row] = await sql.unsafe(
		`select leaf::regclass::text as leaf, wleaf::regclass::text as keeper from reprieve.${name}`,
	)
	expect(row).toEqual({ leaf: 'public.heir', keeper: 'public.t' })
})

test('text, quoted and user-defined keys are planned exactly, and no type of theirs is used by our tables', async () => {
	await using ground = await openGround()
	const { sql } = ground.database
	await sql`create extension citext schema public`
	await sql`create type public.mood as enum ('sad', 'glad')`
	await sql`create table public."Odd ""t""" ("the key" public.citext, m public.mood, at timestamptz, primary key ("the key", m, at))`
	await sql`create table public.c (id int primary key, k public.citext, m public.mood, at timestamptz,
		foreign key (k, m, at) references public."Odd ""t""" on delete cascade)`
	await sql`insert into public."Odd ""t""" values ('A''; --', 'glad', 'infinity'), ('b', 'sad', '2020-01-01 00:00:00.123456Z')`
	await sql`insert into public.c values (1, 'a''; --', 'glad', 'infinity')`
	const made = await plan(ground.services, { ...all, table: '"Odd ""t"""' })
	expect(made).toMatchObject({ rows: 2, dependents: [{ table: 'c', rows: 1 }] })
	expect((await rowsOf(ground.services, made.id))[0]?.key).toEqual({ 'the key': `A'; --`, m: 'glad', at: 'infinity' })
	await sql`drop table public.c, public."Odd ""t"""`
	await sql`drop type public.mood`
})

test('a planned key leaves the collation of its column behind, so that it can be dropped', async () => {
	await using ground = await openGround()
	const { sql } = ground.database
	await sql`create collation public.apart (provider = icu, locale = 'und-u-ks-level2', deterministic = false)`
	await sql`create table public.t (k text collate public.apart, v varchar(9) collate public.apart, primary key (k, v))`
	await sql`insert into public.t values ('a', 'b'), ('c', 'd')`
	const made = await plan(ground.services, { ...all, table: 't' })
	expect((await rowsOf(ground.services, made.id)).map(({ key }) => key)).toEqual([
		{ k: 'a', v: 'b' },
		{ k: 'c', v: 'd' },
	])
	await sql`drop table public.t`
	await sql`drop collation public.apart`
})
