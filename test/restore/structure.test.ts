import type { Restore } from '@reprieve/contracts'
import { expect, test } from 'vitest'
import { examineFor, toRequest } from '../../apps/service/src/restores/request.ts'
import { startRestore } from '../../apps/service/src/restores/start.ts'
import { admin } from '../support/services.ts'
import { until } from '../support/wait.ts'
import { deleteRewritten, differences, keep, openScene, preview, restore, work } from './scene.ts'

test('a self reference with children before their parents comes back in one statement', async () => {
	await using scene = await openScene()
	const { sql, vault } = scene
	await sql`create table public.node (id int primary key, up int references public.node)`
	await sql`insert into public.node values (3, null)`
	await sql`insert into public.node values (2, 3), (1, 2)`
	await keep(sql, 'node')
	await vault.deleteRows(sql, 'node', 'true', { run: 'r' })
	expect(await restore(scene, { selection: { run: 'r' } })).toMatchObject({ status: 'succeeded', verified: 3 })
	expect(await differences(sql, 'node', ['id'])).toEqual([])
})

test('a cycle of foreign keys that are not deferrable comes back in one statement', async () => {
	await using scene = await openScene()
	const { sql, vault } = scene
	await sql`create table public.hen (id int primary key, egg int not null)`
	await sql`create table public.egg (id int primary key, hen int not null references public.hen)`
	await sql`insert into public.hen values (1, 10), (2, 20)`
	await sql`insert into public.egg values (10, 2), (20, 1)`
	await sql`alter table public.hen add foreign key (egg) references public.egg`
	await keep(sql, 'hen')
	await keep(sql, 'egg')
	const rows = [...(await vault.copy(sql, 'hen', 'true')), ...(await vault.copy(sql, 'egg', 'true'))]
	await sql`with a as (delete from public.hen) delete from public.egg`
	await vault.transaction(rows, { run: 'r' })
	expect(await restore(scene, { selection: { run: 'r' } })).toMatchObject({ status: 'succeeded', verified: 4 })
	expect(await differences(sql, 'hen', ['id'])).toEqual([])
	expect(await differences(sql, 'egg', ['id'])).toEqual([])
})

test('a row that was set to a default that is not there, then deleted in the same transaction, comes back as it was', async () => {
	await using scene = await openScene()
	const { sql } = scene
	await sql`create table public.parent (region int, id int, primary key (region, id))`
	await sql`create table public.child (id int primary key, region int, parent int default 1, note text,
		foreign key (region, parent) references public.parent on delete set default (parent) deferrable initially deferred)`
	await sql`insert into public.parent values (0, 5), (0, 6)`
	await sql`insert into public.child values (1, 0, 5, 'a'), (2, 0, 6, 'b'), (3, 0, null, 'c')`
	await keep(sql, 'parent')
	await keep(sql, 'child')
	await deleteRewritten(scene, { parent: '1' })
	const done = await restore(scene, { selection: { run: 'r' } })
	expect(done).toMatchObject({ status: 'succeeded', restored: 5, identical: 2, conflicts: 0, verified: 5 })
	expect(await differences(sql, 'parent', ['region', 'id'])).toEqual([])
	expect(await differences(sql, 'child', ['id'])).toEqual([])
})

test('a row that a default left half NULL, then deleted in the same transaction, comes back as it was', async () => {
	await using scene = await openScene()
	const { sql } = scene
	await sql`create table public.parent (region int, id int, primary key (region, id))`
	await sql`create table public.child (id int primary key, region int, parent int, foreign key (region, parent)
		references public.parent match full on delete set default (parent) deferrable initially deferred)`
	await sql`insert into public.parent values (0, 5), (0, 6)`
	await sql`insert into public.child values (1, 0, 5), (2, null, null)`
	await keep(sql, 'child')
	await deleteRewritten(scene, { parent: null })
	expect(await restore(scene, { selection: { run: 'r' } })).toMatchObject({ status: 'succeeded', conflicts: 0 })
	expect(await differences(sql, 'child', ['id'])).toEqual([])
})

test('identity ALWAYS keeps its values, generated columns are computed, sequences only move forward', async () => {
	await using scene = await openScene()
	const { sql, vault } = scene
	await sql`create table public.t (id int generated always as identity primary key, n int, twice int generated always as (n * 2) stored)`
	await sql`insert into public.t (n) select n from generate_series(1, 5) n`
	await keep(sql, 't')
	await vault.deleteRows(sql, 't', 'true', { run: 'r' })
	await sql`alter table public.t alter id restart with 3`
	const seen = await preview(scene, { selection: { run: 'r' } })
	expect(seen.findings.map((finding) => finding.code)).toEqual(
		expect.arrayContaining(['generatedColumns', 'identityKept']),
	)
	expect(await restore(scene, { selection: { run: 'r' } })).toMatchObject({ status: 'succeeded', verified: 5 })
	expect(await differences(sql, 't', ['id'])).toEqual([])
	expect(await sql`insert into public.t (n) values (9) returning id`).toEqual([{ id: 6 }])

	await sql`alter table public.t alter id restart with 100`
	await vault.deleteRows(sql, 't', 'id = 5', { run: 's' })
	await restore(scene, { selection: { run: 's' } })
	expect(await sql`insert into public.t (n) values (9) returning id`).toEqual([{ id: 100 }])
})

async function withRewritingTrigger(sql: import('@reprieve/postgres').Sql): Promise<void> {
	await sql`create table public.t (id int primary key, note text)`
	await sql`create function public.touch() returns trigger language plpgsql as 'begin new.note = ''touched''; return new; end'`
	await sql`create trigger touch before insert or update on public.t for each row execute function public.touch()`
	await sql`alter table public.t disable trigger touch`
	await sql`insert into public.t values (1, 'as it was')`
	await sql`alter table public.t enable trigger touch`
	await keep(sql, 't')
}

const triggerState = (sql: import('@reprieve/postgres').Sql) =>
	sql`select tgname, tgenabled::text from pg_trigger where not tgisinternal order by 1`

test('a trigger that would rewrite the row is kept from firing', async () => {
	await using scene = await openScene()
	const { sql, vault } = scene
	await withRewritingTrigger(sql)
	await vault.deleteRows(sql, 't', 'true', { run: 'r' })
	expect(await restore(scene, { selection: { run: 'r' } })).toMatchObject({ status: 'succeeded', verified: 1 })
	expect(await differences(sql, 't', ['id'])).toEqual([])
})

test('triggers that fire in replica mode too are disabled for the batch and put back as they were', async () => {
	await using scene = await openScene()
	const { sql, vault } = scene
	await withRewritingTrigger(sql)
	await sql`alter table public.t enable always trigger touch`
	await sql`create trigger sleeping before insert on public.t for each row execute function public.touch()`
	await sql`alter table public.t disable trigger sleeping`
	await vault.deleteRows(sql, 't', 'true', { run: 'r' })
	const before = await triggerState(sql)
	expect(await restore(scene, { selection: { run: 'r' } })).toMatchObject({ status: 'succeeded', verified: 1 })
	expect(await differences(sql, 't', ['id'])).toEqual([])
	expect(await triggerState(sql)).toEqual(before)
})

test('triggers that are to fire fire, and the report names the rows that they changed', async () => {
	await using scene = await openScene()
	const { sql, vault } = scene
	await withRewritingTrigger(sql)
	await vault.deleteRows(sql, 't', 'true', { run: 'r' })
	const done = await restore(scene, { selection: { run: 'r' }, triggers: 'fire' })
	expect(done).toMatchObject({ status: 'succeeded', restored: 1, verified: 0, conflicts: 1 })
	expect(await sql`select state from reprieve.restored_rows where restore_id = ${done.id}`).toEqual([
		{ state: 'altered' },
	])
})

test('of triggers that cannot be kept from firing a preview says that, and no more', async () => {
	await using scene = await openScene()
	const { sql, vault } = scene
	await sql.unsafe(`create table public.t (id int primary key); insert into public.t values (1);
		create function public.touch() returns trigger language plpgsql as 'begin return new; end';
		create trigger touch before insert on public.t for each row execute function public.touch();
		alter table public.t enable always trigger touch;
		create rule swallow as on insert to public.t where new.id < 0 do instead nothing`)
	await vault.deleteRows(sql, 't', 'true', { run: 'r' })
	for (const triggers of ['suppress', 'fire'] as const) {
		const { findings } = await preview(scene, { selection: { run: 'r' }, triggers })
		const told = findings.filter(({ code }) => code.startsWith('triggers'))
		expect(told).toMatchObject([{ code: 'triggersNotSuppressible', table: 't' }])
	}
})

test('a deferrable unique constraint is still enforced where triggers are suppressed', async () => {
	await using scene = await openScene()
	const { sql, vault } = scene
	await withRewritingTrigger(sql)
	await sql`alter table public.t add code int unique deferrable initially deferred`
	await sql`update public.t set code = 7`
	await vault.deleteRows(sql, 't', 'true', { run: 'r' })
	await sql`insert into public.t values (2, 'other', 7)`
	const seen = await preview(scene, { selection: { run: 'r' } })
	expect(seen.tables[0]).toMatchObject({ taken: 1 })
	await expect(restore(scene, { selection: { run: 'r' } })).rejects.toMatchObject({ code: 'CONFLICT' })
	await restore(scene, { selection: { run: 'r' }, conflict: 'skip' })
	expect(await sql`select count(*)::int4 as rows from public.t`).toEqual([{ rows: 1 }])
})

test('where replica mode skips foreign-key checks they are made by hand', async () => {
	await using scene = await openScene()
	const { sql, vault } = scene
	await sql`create table public.parent (id int primary key)`
	await withRewritingTrigger(sql)
	await sql`alter table public.t add parent int references public.parent`
	await sql`insert into public.parent values (1), (2)`
	await sql`alter table public.t disable trigger touch`
	await sql`update public.t set parent = 1`
	await sql`insert into public.t values (2, 'second', 2)`
	await sql`alter table public.t enable trigger touch`
	await vault.deleteRows(sql, 't', 'true', { run: 'r' })
	const { hash } = await preview(scene, { selection: { run: 'r' } })
	const queued = await startRestore(scene.services, admin, { selection: { run: 'r' }, hash, reason: 'test' })
	await sql`delete from public.parent where id = 2`
	const done = await work(scene, queued.id)
	expect(done).toMatchObject({ status: 'failed', failure: { code: 'PARENT_MISSING' }, restored: 0 })
	expect(await sql`select from public.t`).toHaveLength(0)
})

test('rows of a partitioned table go in through the root, and a missing partition is named', async () => {
	await using scene = await openScene()
	const { sql, vault } = scene
	await sql`create table public.p (id int, at date, note text, primary key (id, at)) partition by range (at)`
	await sql`create table public.p1 (note text, at date not null, id int not null)`
	await sql`alter table public.p attach partition public.p1 for values from ('2024-01-01') to ('2025-01-01')`
	await sql`create table public.p2 partition of public.p for values from ('2025-01-01') to ('2026-01-01')`
	await sql`insert into public.p values (1, '2024-05-05', 'a'), (2, '2025-05-05', 'b')`
	await keep(sql, 'p')
	await vault.deleteRows(sql, 'p', 'id = 1', { run: 'r' })
	await vault.deleteRows(sql, 'p', 'id = 2', { run: 's' })
	expect(await restore(scene, { selection: { run: 'r' } })).toMatchObject({ status: 'succeeded', verified: 1 })
	await sql`drop table public.p2`
	const lost = await restore(scene, { selection: { run: 's' } })
	expect(lost).toMatchObject({ status: 'failed', failure: { code: 'SCHEMA_DRIFT' } })
	await sql`create table public.p2 partition of public.p for values from ('2025-01-01') to ('2026-01-01')`
	await restore(scene, { selection: { run: 's' } })
	expect(await differences(sql, 'p', ['id', 'at'])).toEqual([])
})

test('composite keys, odd names and columns called like ours are only names', async () => {
	await using scene = await openScene()
	const { sql, vault } = scene
	await sql`create schema "o.dd"`
	await sql`create table "o.dd"."Ta""ble" ("a b" int, "~n" text, "it's" text, "sel""ect" int, primary key ("~n", "a b"))`
	await sql`insert into "o.dd"."Ta""ble" values (1, 'x', 'q''q', 2), (1, 'y', null, 3)`
	await sql`create schema kept`
	await sql`create table kept."Ta""ble" as select * from "o.dd"."Ta""ble"`
	await vault.deleteRows(sql, '"o.dd"."Ta""ble"', 'true', { run: 'r' })
	expect(await restore(scene, { selection: { run: 'r' } })).toMatchObject({ status: 'succeeded', verified: 2 })
	expect(await differences(sql, '"o.dd"."Ta""ble"', ['~n', 'a b'])).toEqual([])
})

test('a key of a type with operators of its own is compared by them', async () => {
	await using scene = await openScene()
	const { sql, vault } = scene
	await sql`create schema ext`
	await sql`create extension citext schema ext`
	await sql`create table public.t (email ext.citext primary key, note text)`
	await sql`insert into public.t values ('A@x', 'old')`
	await vault.deleteRows(sql, 't', 'true', { run: 'r' })
	await sql`insert into public.t values ('a@X', 'new')`
	expect((await preview(scene, { selection: { run: 'r' } })).tables[0]).toMatchObject({ missing: 0, different: 1 })
})

test('a parent that is being deleted while its child is restored is waited for, and missed', async () => {
	await using scene = await openScene()
	const { sql, vault } = scene
	await sql`create table public.parent (id int primary key)`
	await withRewritingTrigger(sql)
	await sql`insert into public.parent values (1)`
	await sql`alter table public.t add parent int references public.parent`
	await sql`alter table public.t disable trigger touch`
	await sql`update public.t set parent = 1`
	await sql`alter table public.t enable trigger touch`
	await vault.deleteRows(sql, 't', 'true', { run: 'r' })
	const { hash } = await preview(scene, { selection: { run: 'r' } })
	const queued = await startRestore(scene.services, admin, { selection: { run: 'r' }, hash, reason: 'test' })
	let working: Promise<Restore> | undefined
	await sql.begin(async (tx) => {
		await tx`delete from public.parent`
		working = work(scene, queued.id)
		await until(
			async () =>
				(await sql`select from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'`)
					.length,
			'the batch to wait for the parent',
		)
	})
	expect(await working).toMatchObject({ status: 'failed', failure: { code: 'PARENT_MISSING' } })
	expect(await sql`select from public.t`).toHaveLength(0)
})

test("rows of an inheritance child are not the parent table's own", async () => {
	await using scene = await openScene()
	const { sql, vault } = scene
	await sql`create table public.base (id int primary key, note text)`
	await sql`create table public.special (primary key (id)) inherits (public.base)`
	await sql`insert into public.base values (1, 'base')`
	await vault.deleteRows(sql, 'base', 'true', { run: 'r' })
	await sql`insert into public.special values (1, 'special')`
	expect(await restore(scene, { selection: { run: 'r' } })).toMatchObject({
		status: 'succeeded',
		restored: 1,
		verified: 1,
	})
	expect(await sql`select note from public.base order by note`).toEqual([{ note: 'base' }, { note: 'special' }])
})

test('an overwrite keeps the check of rows that reference more than the key', async () => {
	await using scene = await openScene()
	const { sql, vault } = scene
	await withRewritingTrigger(sql)
	await sql`alter table public.t add code int unique`
	await vault.archiveRows(sql, 't', 'true')
	await sql`alter table public.t disable trigger touch`
	await sql`update public.t set code = 7`
	await sql`alter table public.t enable trigger touch`
	await sql`create table public.child (code int references public.t (code))`
	await sql`insert into public.child values (7)`
	const done = await restore(scene, { selection: { table: 't', keys: [{ id: 1 }] }, conflict: 'overwrite' })
	expect(done).toMatchObject({ status: 'failed', restored: 0 })
	expect(await sql`select code from public.t`).toEqual([{ code: 7 }])
})

test('of two selected rows with one unique value the newest comes back and the other is named', async () => {
	await using scene = await openScene()
	const { sql, vault } = scene
	await sql`create table public.t (id int primary key, mail text)`
	await sql`create unique index on public.t (lower(mail)) where mail <> ''`
	await sql`insert into public.t values (1, 'A@x'), (3, ''), (4, '')`
	await vault.deleteRows(sql, 't', 'true', { run: 'r' })
	await sql`insert into public.t values (2, 'a@X')`
	await vault.deleteRows(sql, 't', 'true', { run: 'r' })
	expect((await preview(scene, { selection: { run: 'r' } })).tables[0]).toMatchObject({ missing: 3, taken: 1 })
	await restore(scene, { selection: { run: 'r' }, conflict: 'skip' })
	expect(await sql`select id from public.t order by id`).toEqual([{ id: 2 }, { id: 3 }, { id: 4 }])
})

async function withDemandingPartition(sql: import('@reprieve/postgres').Sql): Promise<void> {
	await sql`create table public.parent (id int primary key)`
	await sql`create table public.t (id int primary key, code int, parent int) partition by range (id)`
	await sql`create table public.t_1 partition of public.t for values from (0) to (10)`
	await sql`create table public.t_2 partition of public.t default`
	await sql`insert into public.parent values (1), (2)`
	await sql`insert into public.t values (1, 7, 1), (2, 8, 2), (11, 7, 99)`
	await sql`create function public.touch() returns trigger language plpgsql as 'begin new.code = 0; return new; end'`
	await sql`create trigger touch before insert on public.t for each row execute function public.touch()`
}

test('a foreign key of one partition is checked for its rows alone, where triggers are suppressed', async () => {
	await using scene = await openScene()
	const { sql, vault } = scene
	await withDemandingPartition(sql)
	await sql`alter table public.t_1 add foreign key (parent) references public.parent`
	await keep(sql, 't')
	await vault.deleteRows(sql, 't', 'true', { run: 'r' })
	const { hash, parents } = await preview(scene, { selection: { run: 'r' } })
	expect(parents).toEqual([])
	const queued = await startRestore(scene.services, admin, { selection: { run: 'r' }, hash, reason: 'test' })
	await sql`delete from public.parent where id = 2`
	expect(await work(scene, queued.id)).toMatchObject({ status: 'failed', failure: { code: 'PARENT_MISSING' } })
	expect((await preview(scene, { selection: { run: 'r' } })).parents).toMatchObject([
		{ table: 'parent', key: { id: 2 } },
	])
	await sql`insert into public.parent values (2)`
	expect(await restore(scene, { selection: { run: 'r' } })).toMatchObject({ status: 'succeeded', verified: 3 })
	expect(await differences(sql, 't', ['id'])).toEqual([])
})

test('a deferrable unique constraint of one partition is enforced where triggers are suppressed', async () => {
	await using scene = await openScene()
	const { sql, vault } = scene
	await withDemandingPartition(sql)
	await sql`alter table public.t_1 add unique (code) deferrable initially deferred`
	await keep(sql, 't')
	await vault.deleteRows(sql, 't', 'true', { run: 'r' })
	await sql`alter table public.t_1 disable trigger touch`
	await sql`insert into public.t_1 values (3, 7, null)`
	await sql`alter table public.t_1 enable trigger touch`
	const done = await restore(scene, { selection: { run: 'r' } })
	expect(done).toMatchObject({ status: 'failed', restored: 0, failure: { code: 'CONFLICT' } })
	await sql`delete from public.t_1`
	expect(await restore(scene, { selection: { run: 'r' } })).toMatchObject({ status: 'succeeded', verified: 3 })
	expect(await differences(sql, 't', ['id'])).toEqual([])
})

test('a row whose key was NULL when it was archived hides no live row', async () => {
	await using scene = await openScene()
	const { sql, vault } = scene
	await sql`create table public.t (id int, code int primary key)`
	await sql`insert into public.t values (1, 1), (2, 2), (null, 3)`
	await vault.archiveRows(sql, 't', 'true')
	await sql`delete from public.t where id is distinct from 1`
	await sql`alter table public.t drop constraint t_pkey`
	await sql`alter table public.t add primary key (id)`
	const { tables } = await preview(scene, { selection: { table: 't' } })
	expect(tables).toMatchObject([{ rows: 3, same: 1, missing: 2 }])
})

test('that no live row is in the way of a narrow range is seen in the index alone', async () => {
	await using scene = await openScene()
	const { sql, vault, services } = scene
	await sql`create table public.t (id int primary key) with (autovacuum_enabled = off)`
	await sql`insert into public.t select n from generate_series(1, 20000) n order by hashint4(n)`
	await sql`analyze public.t`
	await vault.deleteRows(sql, 't', 'id between 5000 and 5010', { run: 'r' })
	const request = toRequest({ selection: { run: 'r' } })
	await services.pools.restore.begin(async (tx) => {
		await tx`set local random_page_cost = 10`
		const { tables } = await examineFor(services, admin, tx, { request, through: 1n << 60n })
		expect(tables).toMatchObject([{ counts: { missing: 11 } }])
		const seen = tx`select seq_scan::int, idx_scan::int from pg_stat_xact_user_tables where relname = 't'`
		expect(await seen).toEqual([{ seq_scan: 0, idx_scan: 1 }])
	})
})

test('a cycle of more tables than a function takes arguments comes back in one batch', async () => {
	await using scene = await openScene()
	const { sql, vault } = scene
	const names = Array.from({ length: 101 }, (_, i) => `t_${i}`)
	const each = (statement: (name: string, next: string) => string) =>
		sql.unsafe(names.map((name, i) => statement(name, names[(i + 1) % names.length] as string)).join(';'))
	await each((name) => `create table public.${name} (id int primary key); insert into public.${name} values (1)`)
	const rows = []
	for (const name of names) rows.push(...(await vault.copy(sql, name, 'true')))
	await each((name) => `delete from public.${name}`)
	await each((name, next) => `alter table public.${name} add foreign key (id) references public.${next}`)
	await vault.transaction(rows, { run: 'r' })
	expect(await restore(scene, { selection: { run: 'r' } })).toMatchObject({ status: 'succeeded', verified: 101 })
})
