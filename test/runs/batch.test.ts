import type { Policy } from '@reprieve/contracts'
import { expect, test } from 'vitest'
import { claimRun } from '../../apps/service/src/runs/worker/claim.ts'
import { until } from '../support/wait.ts'
import { openShop, type Shop } from './shop.ts'
import { claimPlan, countRows, deletePlan, deleteUnits, isBatchWaiting, readDrifted } from './single-batch.ts'

const match = (table: string, value: string): Policy => ({
	kind: 'match',
	table,
	where: { column: 'kind', op: 'eq', value },
})

const orders = `create table orders (id int primary key, kind text, lines int not null default 0);
	create table lines (id int primary key, order_id int not null references orders on delete cascade, kind text);
	insert into orders select n, case when n <= 10 then 'old' else 'new' end from generate_series(1, 20) n;
	insert into lines select n, (n + 1) / 2 from generate_series(1, 40) n;`

/** Does `work` in the middle of a batch: while the batch, past its gate, waits for a row that we hold. */
async function inTheMiddle<T>(shop: Shop, hold: string, batch: () => Promise<T>, work: string[]): Promise<T> {
	const { sql } = shop.database
	const outcome = Promise.withResolvers<T>()
	await sql.begin(async (tx) => {
		await tx.unsafe(hold)
		batch().then(outcome.resolve, outcome.reject)
		await until(() => isBatchWaiting(shop), 'the batch to wait')
		for (const statement of work)
			await sql.begin((other) => other.unsafe(`set local reprieve.allow = 'on'; ${statement}`).simple())
	})
	return await outcome.promise
}

test('a cascade is deleted by one statement with its planned children and counted per table', async () => {
	await using shop = await openShop(orders)
	await shop.protect('orders')
	const done = await deletePlan(shop, await shop.plan(match('orders', 'old')))
	expect(done).toMatchObject({ deleted: 30, relinked: 0, drifted: 0, collateral: 0 })
	const [batch] = await shop.database.sql`select rows, collateral from reprieve.batches`
	expect(batch).toEqual({
		rows: { orders: { deleted: 10, relinked: 0 }, lines: { deleted: 20, relinked: 0 } },
		collateral: {},
	})
	expect([await countRows(shop, 'public.orders'), await countRows(shop, 'public.lines')]).toEqual([10, 20])
})

test('a child that nobody planned keeps its parent', async () => {
	await using shop = await openShop(orders)
	await shop.protect('orders')
	const planId = await shop.plan(match('orders', 'old'))
	await shop.database.sql`insert into public.lines values (99, 3)`
	expect(await deletePlan(shop, planId)).toMatchObject({ deleted: 27, drifted: 3 })
	expect(await readDrifted(shop)).toEqual([
		'lines 5 dependentDrifted',
		'lines 6 dependentDrifted',
		'orders 3 newDependent',
	])
	expect(await countRows(shop, 'public.lines where order_id = 3')).toBe(3)
})

test('a child that is being inserted while the batch waits keeps its parent', async () => {
	await using shop = await openShop(orders)
	await shop.protect('orders')
	const run = await claimPlan(shop, await shop.plan(match('orders', 'old')))
	const done = await inTheMiddle(shop, 'insert into public.lines values (99, 3)', () => deleteUnits(shop, run), [])
	expect(done).toMatchObject({ deleted: 27, drifted: 3 })
	expect(await countRows(shop, 'public.lines where order_id = 3')).toBe(3)
})

test('a planned child that changed keeps its whole closure', async () => {
	await using shop = await openShop(orders)
	await shop.protect('orders')
	const planId = await shop.plan(match('orders', 'old'))
	await shop.database.sql`update public.lines set kind = 'x' where id = 5`
	expect(await deletePlan(shop, planId)).toMatchObject({ deleted: 27, drifted: 3 })
	expect(await readDrifted(shop)).toEqual(['lines 5 changed', 'lines 6 dependentDrifted', 'orders 3 dependentDrifted'])
})

test('a planned row in an earlier unit that stays keeps the row that it refers to', async () => {
	await using shop = await openShop(`create table nodes (id int primary key, kind text, up int references nodes);
		insert into nodes values (1, 'old', null), (2, 'old', 1), (3, 'old', 2), (4, 'old', null)`)
	await shop.protect('nodes')
	const planId = await shop.plan(match('nodes', 'old'))
	await shop.database.sql`update public.nodes set kind = 'old' where id = 3`
	expect(await deletePlan(shop, planId)).toMatchObject({ deleted: 1, drifted: 3 })
	expect(await countRows(shop, 'public.nodes')).toBe(3)
})

const people = `create table people (id int primary key, email text);
	insert into people values (1, 'Ann@x'), (2, 'ann@x'), (3, 'bob@x'), (4, 'BOB@x'), (5, 'BOB@X')`
const duplicates: Policy = {
	kind: 'duplicates',
	table: 'people',
	key: [{ column: 'email', normalise: 'lower' }],
	keep: { orderBy: [{ column: 'id', direction: 'asc', nulls: 'last' }] },
}

test('a duplicate stays when its keeper is gone', async () => {
	await using shop = await openShop(people)
	await shop.protect('people')
	const planId = await shop.plan(duplicates)
	await shop.database.sql`delete from public.people where id = 1`
	expect(await deletePlan(shop, planId)).toMatchObject({ deleted: 2, drifted: 1 })
	expect(await readDrifted(shop)).toEqual(['people 2 keeperGone'])
})

test('a duplicate stays when its keeper has another key, and goes when only its spelling changed', async () => {
	await using shop = await openShop(people)
	await shop.protect('people')
	const planId = await shop.plan(duplicates)
	await shop.database
		.sql`update public.people set email = case id when 1 then 'anna@x' else 'BoB@x' end where id in (1, 3)`
	expect(await deletePlan(shop, planId)).toMatchObject({ deleted: 2, drifted: 1 })
	expect(await readDrifted(shop)).toEqual(['people 2 keeperChanged'])
})

test('a keeper that is being deleted while the batch waits keeps its duplicate', async () => {
	await using shop = await openShop(people)
	await shop.protect('people')
	const run = await claimPlan(shop, await shop.plan(duplicates))
	const done = await inTheMiddle(shop, 'delete from public.people where id = 3', () => deleteUnits(shop, run), [])
	expect(done).toMatchObject({ deleted: 1, drifted: 2 })
	expect(await countRows(shop, 'public.people')).toBe(3)
})

test('an orphan stays when its parent has come', async () => {
	await using shop = await openShop(`create table parents (id bigint primary key);
		create table kids (id int primary key, parent int); insert into kids values (1, 10), (2, 20)`)
	await shop.protect('kids')
	const planId = await shop.plan({
		kind: 'orphans',
		table: 'kids',
		columns: ['parent'],
		references: { table: 'parents', columns: ['id'] },
	})
	await shop.database.sql`insert into public.parents values (20)`
	expect(await deletePlan(shop, planId)).toMatchObject({ deleted: 1, drifted: 1 })
	expect(await readDrifted(shop)).toEqual(['kids 2 parentCame'])
})

const keeping = `create function keep() returns trigger language plpgsql as 'begin if old.id = 4 then return null; end if; return old; end';`

test('a trigger that keeps a locked row rolls the batch back and is named by the row', async () => {
	await using shop = await openShop(
		`${orders} ${keeping} create trigger keep before delete on lines for each row execute function keep();`,
	)
	await shop.protect('orders', ['userTrigger:public.lines.keep'])
	await expect(deletePlan(shop, await shop.plan(match('orders', 'old')))).rejects.toMatchObject({
		code: 'NOT_RESTORABLE',
		key: { id: 4 },
	})
	expect([await countRows(shop, 'public.orders'), await countRows(shop, 'reprieve.batches')]).toEqual([20, 0])
})

test('a trigger that keeps a row of a single DELETE is told from drift', async () => {
	await using shop =
		await openShop(`create table alone (id int primary key, kind text); insert into alone select n, 'old' from generate_series(1, 9) n;
		${keeping} create trigger keep before delete on alone for each row execute function keep();`)
	await shop.protect('alone', ['userTrigger:public.alone.keep'])
	await expect(deletePlan(shop, await shop.plan(match('alone', 'old')))).rejects.toMatchObject({
		code: 'NOT_RESTORABLE',
		key: { id: 4 },
	})
	expect(await countRows(shop, 'public.alone')).toBe(9)
})

test('a trigger that updates the parent finds it gone', async () => {
	await using shop = await openShop(`${orders} create function counted() returns trigger language plpgsql as
		'begin update public.orders set lines = lines - 1 where id = old.order_id; return null; end';
		create trigger counted after delete on lines for each row execute function counted();`)
	await shop.protect('orders', ['userTrigger:public.lines.counted'])
	expect(await deletePlan(shop, await shop.plan(match('orders', 'old')))).toMatchObject({ deleted: 30, drifted: 0 })
})

const tellTale = (
	timing: string,
) => `create table notes (id int primary key, order_id int); insert into notes select n, n from generate_series(1, 20) n;
	create function forget() returns trigger language plpgsql as 'begin delete from public.notes where order_id = old.id; return null; end';
	create ${timing} for each row execute function forget();`

test('what an acknowledged trigger deletes in a protected table is counted as collateral', async () => {
	await using shop = await openShop(orders + tellTale('trigger forget after delete on orders'))
	await shop.protect('orders', ['userTrigger:public.orders.forget'])
	await shop.protect('notes')
	expect(await deletePlan(shop, await shop.plan(match('orders', 'old')))).toMatchObject({ deleted: 30, collateral: 10 })
	const [batch] = await shop.database.sql`select collateral from reprieve.batches`
	expect(batch).toEqual({ collateral: { notes: { deleted: 10, relinked: 0 } } })
})

for (const [when, timing] of [
	['at once', 'trigger forget after delete on orders'],
	['at commit', 'constraint trigger forget after delete on orders deferrable initially deferred'],
]) {
	test(`what a trigger deletes ${when} in an unprotected table rolls the batch back`, async () => {
		await using shop = await openShop(orders + tellTale(timing ?? ''))
		await shop.protect('orders', ['userTrigger:public.orders.forget'])
		await expect(deletePlan(shop, await shop.plan(match('orders', 'old')))).rejects.toMatchObject({
			code: 'NOT_RESTORABLE',
			message: 'a trigger deleted 10 rows of notes, which is not protected',
		})
		expect([await countRows(shop, 'public.orders'), await countRows(shop, 'public.notes')]).toEqual([20, 20])
	})
}

test('a table taken out of the publication while the batch is under way rolls it back', async () => {
	await using shop = await openShop(orders)
	await shop.protect('orders')
	const run = await claimPlan(shop, await shop.plan(match('orders', 'old')))
	const batch = () => deleteUnits(shop, run)
	await expect(
		inTheMiddle(shop, 'select from public.orders where id = 3 for update', batch, [
			'alter publication reprieve drop table public.lines',
		]),
	).rejects.toMatchObject({ code: 'NOT_RESTORABLE', message: 'lines is not in publication reprieve' })
	expect(await countRows(shop, 'public.orders')).toBe(20)
})

test('a table that comes back into the publication only while the batch is under way rolls it back', async () => {
	await using shop = await openShop(orders)
	await shop.protect('orders')
	const run = await claimPlan(shop, await shop.plan(match('orders', 'old')))
	const publication = (how: string) =>
		`set local reprieve.allow = 'on'; alter publication reprieve ${how} table public.lines`
	const { sql } = shop.database
	await sql.begin((tx) => tx.unsafe(publication('drop')).simple())
	let outcome: Promise<unknown> | undefined
	await sql.begin(async (tx) => {
		await tx`select from public.orders where id = 3 for update`
		let hasEnded = false
		outcome = deleteUnits(shop, run).finally(() => {
			hasEnded = true
		})
		outcome.catch(() => {})
		await until(async () => hasEnded || (await isBatchWaiting(shop)), 'the batch to wait or to end')
		await sql.begin((other) => other.unsafe(publication('add')).simple())
	})
	await expect(outcome).rejects.toMatchObject({ code: 'NOT_RESTORABLE' })
	expect(await countRows(shop, 'public.orders')).toBe(20)
})

test('a replica identity that is altered while the batch waits for the table closes the gate', async () => {
	await using shop = await openShop(orders)
	await shop.protect('orders')
	const run = await claimPlan(shop, await shop.plan(match('orders', 'old')))
	const batch = () => deleteUnits(shop, run)
	const alter = `set local reprieve.allow = 'on'; alter table public.lines replica identity default`
	const { sql } = shop.database
	const outcome = Promise.withResolvers()
	await sql.begin(async (tx) => {
		await tx.unsafe(alter).simple()
		batch().then(outcome.resolve, outcome.reject)
		await until(() => isBatchWaiting(shop), 'the batch to wait')
	})
	await expect(outcome.promise).rejects.toMatchObject({
		code: 'NOT_RESTORABLE',
		message: 'lines has replica identity d, not f (full)',
	})
	expect(await countRows(shop, 'public.orders')).toBe(20)
})

test('a trigger added since the plan closes the gate', async () => {
	await using shop = await openShop(`${orders} ${keeping}`)
	await shop.protect('orders')
	const run = await claimPlan(shop, await shop.plan(match('orders', 'old')))
	await shop.database.sql`create trigger keep before delete on public.lines for each row execute function public.keep()`
	await expect(deleteUnits(shop, run)).rejects.toMatchObject({ code: 'PLAN_DRIFTED' })
})

test('a runner that was replaced cannot commit its batch', async () => {
	await using shop = await openShop(orders)
	await shop.protect('orders')
	const run = await claimPlan(shop, await shop.plan(match('orders', 'old')))
	await shop.database.sql`update reprieve.runs set lease_until = clock_timestamp() - interval '1 s'`
	const second = await claimRun(shop.services, 'second', 60_000)
	expect(second?.lease.epoch).toBe(run.lease.epoch + 1)
	await expect(deleteUnits(shop, run)).rejects.toMatchObject({ code: 'CONFLICT' })
	expect(await countRows(shop, 'public.orders')).toBe(20)
	if (second) expect(await deleteUnits(shop, second)).toMatchObject({ deleted: 30 })
})

test('a batch that is done cannot be done again', async () => {
	await using shop = await openShop(orders)
	await shop.protect('orders')
	const run = await claimPlan(shop, await shop.plan(match('orders', 'old')))
	await deleteUnits(shop, run, 4)
	await expect(deleteUnits(shop, run, 4)).rejects.toMatchObject({})
	const [batches] = await shop.database.sql`select deleted::int, unit::int from reprieve.runs`
	expect(batches).toEqual({ deleted: 12, unit: 4 })
})

test('rows that SET NULL rewrites are relinked by the statement itself and counted', async () => {
	await using shop = await openShop(`create table teams (id int primary key, kind text);
		create table members (id int primary key, team int references teams on delete set null, boss int references teams on delete set null);
		insert into teams select n, case when n <= 2 then 'old' else 'new' end from generate_series(1, 3) n;
		insert into members values (1, 1, null), (2, 1, 2), (3, 3, 3), (4, null, 2)`)
	await shop.protect('teams')
	expect(await deletePlan(shop, await shop.plan(match('teams', 'old')))).toMatchObject({ deleted: 2, relinked: 3 })
	const members = await shop.database.sql`select id, team, boss from public.members order by id`
	expect(members.map((row) => ({ ...row }))).toEqual([
		{ id: 1, team: null, boss: null },
		{ id: 2, team: null, boss: null },
		{ id: 3, team: 3, boss: 3 },
		{ id: 4, team: null, boss: null },
	])
})

test('partitions are counted under their root, and a row that moved stays', async () => {
	await using shop =
		await openShop(`create table events (id int, day date, kind text, primary key (id, day)) partition by range (day);
		create table events_1 partition of events for values from ('2024-01-01') to ('2024-02-01');
		create table events_2 partition of events for values from ('2024-02-01') to ('2024-03-01');
		insert into events select n, '2024-01-10'::date + n, 'old' from generate_series(1, 40) n`)
	await shop.protect('events')
	const planId = await shop.plan(match('events', 'old'))
	await shop.database.sql`update public.events set day = '2024-02-20' where id = 1`
	expect(await deletePlan(shop, planId)).toMatchObject({ deleted: 39, drifted: 1 })
	const [batch] = await shop.database.sql`select rows from reprieve.batches`
	expect(batch).toEqual({ rows: { events: { deleted: 39, relinked: 0 } } })
})

test('keys of types outside pg_catalog are compared by their own operator', async () => {
	await using shop =
		await openShop(`create extension citext; create extension ltree; create type mood as enum ('sad', 'ok');
		create table names (name citext, mood mood, path ltree, kind text, primary key (name, mood, path));
		insert into names values ('Ann', 'sad', 'a.b', 'old'), ('Bob', 'ok', 'a', 'old'), ('Cid', 'ok', 'a', 'new')`)
	await shop.protect('names')
	expect(await deletePlan(shop, await shop.plan(match('names', 'old')))).toMatchObject({ deleted: 2, drifted: 0 })
})

test('inheritance children with the same key are told apart', async () => {
	await using shop = await openShop(`create table base (id int primary key, kind text);
		create table derived (primary key (id)) inherits (base);
		insert into base values (1, 'old'), (2, 'new'); insert into derived values (1, 'new'), (2, 'old')`)
	await shop.protect('base')
	const done = await deletePlan(shop, await shop.plan(match('base', 'old')))
	expect(done.drifted).toBe(0)
	const left = await shop.database
		.sql`select tableoid::regclass::text as "table", id, kind from public.base order by 1, 2`
	expect(left.every((row) => row.kind === 'new')).toBe(done.deleted === 2)
	expect(left.filter((row) => row.kind === 'new')).toHaveLength(2)
})

test('rows of an inheritance child, planned with its parent, are planned dependents too', async () => {
	await using shop = await openShop(`create table base (id int primary key, kind text, rank int);
		create table ranks (id int primary key, base int references base on delete cascade);
		create table heirs (primary key (id), foreign key (rank) references ranks on delete set null) inherits (base);
		insert into base values (1, 'old'); insert into ranks values (1, 1); insert into heirs values (2, 'old', 1)`)
	await shop.protect('base')
	expect(await deletePlan(shop, await shop.plan(match('base', 'old')))).toMatchObject({ deleted: 3, drifted: 0 })
})

test('a batch carries a signed tag first and a signed seal last', async () => {
	await using shop = await openShop(orders)
	await shop.protect('orders')
	await shop.database
		.sql`select pg_create_logical_replication_slot('witness_' || current_database(), 'test_decoding', true)`
	const run = await claimPlan(shop, await shop.plan(match('orders', 'old')))
	await deleteUnits(shop, run)
	const lines = await shop.database.sql<{ data: string }[]>`
		select data from pg_logical_slot_get_changes('witness_' || current_database(), null, null, 'include-xids', 'off')`
	const ours = lines.map((line) => line.data)
	const begin = ours.findIndex((line) => line.includes('prefix: reprieve.tag'))
	const end = ours.findIndex((line) => line.includes('prefix: reprieve.seal'))
	expect(begin).toBeGreaterThan(0)
	expect(ours.slice(begin + 1, end).filter((line) => line.includes(': DELETE:'))).toHaveLength(30)
	expect(ours.slice(begin + 1, end)).toHaveLength(30)
	expect(ours[end]).toContain('"rows":{')
})
