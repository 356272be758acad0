import type { Policy } from '@reprieve/contracts'
import { expect, test } from 'vitest'
import { deleteBatch } from '../../apps/service/src/runs/worker/delete-batch.ts'
import { readShape } from '../../apps/service/src/runs/worker/shape.ts'
import { openShop, type Shop } from './shop.ts'
import { claimPlan, countPlanned, countRows, deletePlan } from './single-batch.ts'

const old = (table: string): Policy => ({ kind: 'match', table, where: { column: 'kind', op: 'eq', value: 'old' } })

const alter = ({ database }: Shop, statements: string) =>
	database.sql.begin((tx) => tx.unsafe(`set local reprieve.allow = 'on'; ${statements}`).simple())

test('a key column that took the name of another names no rows', async () => {
	await using shop = await openShop(`create table items (id int primary key, new_id int not null unique, kind text);
		insert into items select n, 21 - n, case when n <= 5 then 'old' else 'new' end from generate_series(1, 20) n`)
	await shop.protect('items')
	const planId = await shop.plan(old('items'))
	await alter(shop, `alter table public.items rename id to legacy_id; alter table public.items rename new_id to id`)
	await expect(deletePlan(shop, planId)).rejects.toMatchObject({ code: 'SCHEMA_DRIFT' })
	expect(await countRows(shop, "public.items where kind = 'new'")).toBe(15)
})

test('a keeper whose key column was renamed away keeps its duplicates', async () => {
	await using shop = await openShop(`create table users (id int primary key, email text, mail text);
		insert into users values (1, 'a', 'x'), (2, 'a', 'x'), (3, 'b', 'x')`)
	await shop.protect('users')
	const planId = await shop.plan({ kind: 'duplicates', table: 'users', key: ['email'], keep: 'oldest', by: 'id' })
	await shop.database.sql`update public.users set email = 'z' where id = 1`
	await alter(shop, 'alter table public.users rename email to e2; alter table public.users rename mail to email')
	await expect(deletePlan(shop, planId)).rejects.toMatchObject({ code: 'SCHEMA_DRIFT' })
	expect(await countRows(shop, 'public.users')).toBe(3)
})

test('a table that was renamed and given more columns since the plan is still the one that was planned', async () => {
	await using shop = await openShop(`create table items (id int primary key, kind text);
		insert into items select n, case when n <= 5 then 'old' else 'new' end from generate_series(1, 20) n`)
	await shop.protect('items')
	const planId = await shop.plan(old('items'))
	await alter(shop, 'alter table public.items rename to things; alter table public.things add column note text')
	expect(await deletePlan(shop, planId)).toMatchObject({ deleted: 5, drifted: 0 })
})

test('a table that took the name of a referencing one does not hide its rows', async () => {
	await using shop = await openShop(`create table orders (id int primary key, kind text);
		create table notes (id int primary key, order_id int references orders on delete set null);
		insert into orders select n, 'old' from generate_series(1, 10) n`)
	await shop.protect('orders')
	const run = await claimPlan(shop, await shop.plan(old('orders')))
	const shape = await readShape(shop.services.pools.delete, run.body)
	await shop.database.sql`insert into public.notes values (1, 3)`
	await alter(
		shop,
		`alter table public.notes rename to notes_old; create table public.notes (id int primary key, order_id int)`,
	)
	const { lease, lineage, actor, reason, body } = run
	const range = { from: 1, to: body.units, rows: await countPlanned(shop, run, body.units) }
	const batch = { lease, number: 1, range, lineage, actor, reason }
	const limits = { lockTimeoutMs: 5_000, statementTimeoutMs: 20_000, idleTimeoutMs: 60_000 }
	await expect(deleteBatch(shop.services, shape, batch, limits)).rejects.toMatchObject({ code: 'SCHEMA_DRIFT' })
	expect(await countRows(shop, 'public.notes_old where order_id = 3')).toBe(1)
})
