import type { Cluster } from '@reprieve/standalone/embedded'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { postgresVersions, startCluster } from '../support/postgres.ts'
import { migratedDatabase, oidOf, pretendCapture, protect, refusals, streamedKinds, tableState } from './support.ts'

describe.each(postgresVersions)('shapes on PostgreSQL %i', (version) => {
	let cluster: Cluster & AsyncDisposable
	beforeAll(async () => {
		cluster = await startCluster(version)
	})
	afterAll(async () => {
		await cluster.stop()
	})

	const refused: [what: string, code: string, ddl: string[], change?: string][] = [
		['a table without key', 'noKey', ['create table t (id int)'], 'delete from t'],
		['a unique index over a nullable column', 'noKey', ['create table t (id int unique)'], 'delete from t'],
		['an unlogged table', 'unlogged', ['create unlogged table t (id int primary key)'], 'delete from t'],
		[
			'a view',
			'notATable',
			['create table b (id int primary key)', 'create view t as select * from b'],
			'delete from t',
		],
		['a materialized view', 'notATable', ['create materialized view t as select 1 as id']],
		[
			'a foreign table',
			'notATable',
			[
				'create foreign data wrapper w',
				'create server s foreign data wrapper w',
				'create foreign table t (id int) server s',
			],
		],
		[
			'a foreign partition',
			'notATable',
			[
				'create table t (id int primary key) partition by range (id)',
				'create table t1 partition of t for values from (0) to (10)',
				'create foreign data wrapper w',
				'create server s foreign data wrapper w',
				'alter table t drop constraint t_pkey',
				'create foreign table t2 partition of t for values from (10) to (20) server s',
			],
		],
		[
			'an unlogged child by cascade',
			'unlogged',
			[
				'create table t (id int primary key)',
				'create table p (id int primary key)',
				'alter table t add p int',
				'create unlogged table u (id int primary key)',
				'create unlogged table c (id int primary key, u int references u on delete cascade)',
				'drop table t',
				'alter table u rename to t',
			],
			'delete from t',
		],
		['an xml column', 'inexactType', ['create table t (id int primary key, x xml)'], 'delete from t'],
		[
			'a type without exact text inside an array of a domain',
			'inexactType',
			['create domain d as regclass', 'create table t (id int primary key, x d[])'],
			'delete from t',
		],
		[
			'a column list of somebody else',
			'columnList',
			['create table t (id int primary key, a int)', 'create publication o for table t (id)'],
			'delete from t',
		],
		[
			'a trigger on DELETE',
			'userTrigger',
			[
				'create table t (id int primary key)',
				'create function f() returns trigger language plpgsql as $$begin return old; end$$',
				'create trigger tr before delete on t for each row execute function f()',
			],
			'delete from t',
		],
		[
			'a rule on DELETE',
			'userRule',
			['create table t (id int primary key)', 'create rule r as on delete to t where old.id = 5 do instead nothing'],
			'delete from t',
		],
		[
			'a partition alone',
			'partition',
			[
				'create table r (id int primary key) partition by range (id)',
				'create table t partition of r for values from (0) to (10)',
			],
			'delete from t',
		],
		[
			'a publication of others for all tables',
			'forAllTables',
			['create table t (id int primary key)', 'create publication o for all tables'],
			'delete from t',
		],
	]
	test.each(refused)('%s is refused as %s, and nothing is changed', async (_what, code, ddl, change) => {
		await using database = await migratedDatabase(cluster)
		const { sql } = database
		await sql`set search_path = public`.catch(() => {})
		for (const statement of ddl) await sql.begin((tx) => [tx`set local search_path = public`, tx.unsafe(statement)])
		const before = await tableState(sql)
		expect(await refusals(sql, 't')).toContain(code)
		expect(await protect(sql, 't')).toContain(code)
		expect(await tableState(sql)).toEqual(before)
		if (change) await sql.begin((tx) => [tx`set local search_path = public`, tx.unsafe(change)])
	})

	test('generated columns: stored ones are protected and DELETE works, virtual ones are refused', async () => {
		await using database = await migratedDatabase(cluster)
		const { sql } = database
		await sql`create table public.t (id int primary key, g int generated always as (id + 1) stored)`
		expect(await protect(sql, 't')).toEqual([])
		await sql`insert into public.t values (1)`
		await sql`update public.t set id = 2`
		await sql`delete from public.t`
		if (version < 18) return
		await sql`create table public.v (id int primary key, g int generated always as (id + 1) virtual)`
		expect(await protect(sql, 'v')).toEqual(['virtualGenerated'])
		await sql`insert into public.v values (1)`
		await sql`delete from public.v`
		await sql`create table public.h (id int primary key, g int generated always as (id + 1) stored)`
		await sql`create publication other for table public.h`
		expect(await protect(sql, 'h')).toEqual(['otherPublicationHidesGenerated'])
		await sql`insert into public.h values (1)`
		await sql`delete from public.h`
		await sql`alter publication other set (publish_generated_columns = stored)`
		expect(await protect(sql, 'h')).toEqual([])
		await sql`insert into public.h values (1)`
		await sql`delete from public.h`
	})

	test("somebody else's row filter or publication by root harms neither the application nor our stream", async () => {
		await using database = await migratedDatabase(cluster)
		const { sql } = database
		await sql`create table public.t (id int primary key, a int)`
		await sql`create table public.r (id int primary key, a int) partition by range (id)`
		await sql`create table public.r1 partition of public.r for values from (0) to (10)`
		await sql`create publication other for table public.t where (id > 5)`
		await sql`create publication rooted for table public.r with (publish_via_partition_root)`
		expect([await protect(sql, 't'), await protect(sql, 'r')]).toEqual([[], []])
		await pretendCapture(sql)
		await sql`insert into public.t values (1, 1), (9, 9)`
		await sql`insert into public.r values (1, 1)`
		await sql`delete from public.t`
		await sql`delete from public.r`
		expect(await streamedKinds(sql)).toMatchObject({ D: 3, I: 1 })
	})

	test('an acknowledged trigger, rule, type or publication opens the way', async () => {
		await using database = await migratedDatabase(cluster)
		const { sql } = database
		await sql`create table public.t (id int primary key, x xml)`
		await sql.unsafe('create function public.f() returns trigger language plpgsql as $$begin return old; end$$')
		await sql`create trigger tr after delete on public.t for each row execute function public.f()`
		await sql`create rule r as on delete to public.t where old.id = 5 do instead nothing`
		await sql`create publication o for all tables`
		const codes = ['userTrigger:public.t.tr', 'userRule:public.t.r', 'inexactType:public.t.x', 'forAllTables:o']
		for (const code of codes) {
			const others = codes.filter((one) => one !== code)
			expect(await protect(sql, 't', { acknowledge: others })).toEqual([code.split(':')[0]])
		}
		expect(await protect(sql, 't', { acknowledge: codes })).toEqual([])
		expect(await protect(sql, 't')).toEqual([])
		expect(await oidOf(sql, 't')).toBeGreaterThan(0)
	})
})
