import { randomUUID } from 'node:crypto'
import type { Transaction } from '@reprieve/postgres'
import { expect, test } from 'vitest'
import { createPlan } from '../../apps/service/src/plans/create.ts'
import { discardPlan } from '../../apps/service/src/plans/discard.ts'
import { isWorkedAt } from '../../apps/service/src/plans/liveness.ts'
import { checkPlan } from '../../apps/service/src/plans/verify.ts'
import { admin } from '../support/services.ts'
import { bodyOf, openGround, plan } from './support.ts'

const all = { kind: 'match' as const, table: 't', where: { and: [] } }

test.each(['without', 'with'])(
	'%s dependents: a row of a large plan that is edited, added or gets another unit is noticed',
	async (dependents) => {
		await using ground = await openGround()
		const { sql } = ground.database
		await sql`create table public.t (id int primary key)`
		await sql`insert into public.t select generate_series(1, 45000)`
		if (dependents === 'with') {
			await sql`create table public.c (id int primary key, t int references public.t on delete cascade)`
			await sql`insert into public.c values (1, 1)`
		}
		const made = await plan(ground.services, all)
		const planned = (await bodyOf(ground.services, made.id)).tables[0]
		const rowsTable = `reprieve.${planned?.rowsTable}`
		const together = planned?.packed?.rows ?? 1
		const unitColumn = planned?.packed ? 'first' : 'unit'
		const rowOf = (unit: number) => unit - ((unit - 1) % together)
		const noticed = async (what: string, edit: string, undo: string) => {
			await sql.unsafe(`update ${rowsTable} ${edit}`)
			await expect(checkPlan(ground.services, made.id), what).rejects.toMatchObject({ code: 'PLAN_DRIFTED' })
			await sql.unsafe(`update ${rowsTable} ${undo}`)
		}
		for (const unit of [1, 9_999, 10_000, 19_999, 20_000, 29_999, 30_000, 40_000, 45_000]) {
			const value = planned?.packed ? `k1[${unit - rowOf(unit) + 1}]` : 'k1'
			const edit = (by: number) => `set ${value} = ${value} + ${by} where ${unitColumn} = ${rowOf(unit)}`
			await noticed(`${unit}`, edit(100_000), edit(-100_000))
		}
		for (const [unit, moved] of [
			[1, -1],
			[1, 45_001],
			[45_000, '9223372036854775807'],
		] as const) {
			await noticed(
				`${unit} to ${moved}`,
				`set ${unitColumn} = ${moved} where ${unitColumn} = ${rowOf(unit)}`,
				`set ${unitColumn} = ${rowOf(unit)} where ${unitColumn} = ${moved}`,
			)
		}
		for (const unit of [-1, 60_000]) {
			await sql.unsafe(
				`insert into ${rowsTable} select (jsonb_populate_record(r, jsonb_build_object('${unitColumn}', ${unit}))).* from ${rowsTable} r where ${unitColumn} = 1`,
			)
			await expect(checkPlan(ground.services, made.id), `${unit}`).rejects.toMatchObject({ code: 'PLAN_DRIFTED' })
			await sql.unsafe(`delete from ${rowsTable} where ${unitColumn} = ${unit}`)
		}
		await checkPlan(ground.services, made.id)
	},
)

test('an edit of a key of any kind is noticed', async () => {
	await using ground = await openGround()
	const { sql } = ground.database
	await sql`create table public.t (a int[], b numeric, c text, d "char", e varbit, f tsvector, g timetz, h int4range,
		primary key (a, b, c, d, e, f, g, h))`
	await sql`insert into public.t values
		('{}', 'NaN', '', 'a', '', '', '12:00+02', 'empty'), ('{1}', 1.0, 'x,y', 'b', '101', 'a b', '12:00+01', '[1,2)'),
		('{{1,2},{3,null}}', 1.00, '{', 'c', '1', 'a:1', '12:00+00', '(,)')`
	const made = await plan(ground.services, all)
	const rowsTable = `reprieve.${(await bodyOf(ground.services, made.id)).tables[0]?.rowsTable}`
	const others = ['{2}', 1.1, 'x', 'd', '11', 'b', '13:00+01', '[1,3)', 7]
	for (const [at, other] of others.entries()) {
		const column = at === 8 ? 'version[2]' : `k${at + 1}[2]`
		const [before] = await sql.unsafe<{ value: string }[]>(`select ${column}::text as value from ${rowsTable}`)
		await sql.unsafe(`update ${rowsTable} set ${column} = '${other}'`)
		await expect(checkPlan(ground.services, made.id), column).rejects.toMatchObject({ code: 'PLAN_DRIFTED' })
		await sql.unsafe(`update ${rowsTable} set ${column} = '${before?.value.replaceAll("'", "''")}'`)
		await checkPlan(ground.services, made.id)
	}
})

test('a plan whose rows are changed or dropped before it is ready is refused, and the sweep leaves it alone', async () => {
	await using ground = await openGround()
	const { services, database } = ground
	await database.sql`create table public.t (id int primary key)`
	await database.sql`insert into public.t select generate_series(1, 6)`
	const rows = `(select c.relname from pg_class c where c.relname ~ '^plan_' and c.relkind = 'r' limit 1)`
	const attempt = async (edit: string) => {
		const id = randomUUID()
		const begin = async (mode: string, act: (tx: Transaction) => Promise<unknown>) => {
			if (mode !== 'read only') return await services.pools.plan.begin(mode, act)
			await database.sql.unsafe(`do $$ begin execute format('${edit}', ${rows}); end $$`)
			return await services.pools.plan.begin(mode, async (tx) => {
				const answer = await act(tx)
				expect(await isWorkedAt(services, id)).toBe(true)
				return answer
			})
		}
		const pool = new Proxy(services.pools.plan, {
			get: (of, name) => (name === 'begin' ? begin : Reflect.get(of, name)),
		})
		const watched = { ...services, pools: { ...services.pools, plan: pool } }
		return await createPlan(watched, admin, { policy: all }, { id })
	}
	const made = await attempt('select 1 from reprieve.%I')
	expect(made).toMatchObject({ status: 'ready', rows: 6 })
	await discardPlan(services, admin, { id: made.id })
	const added = 'insert into reprieve.%I select 7, array[100], array[xmin] from public.t limit 1'
	await expect(attempt(added)).rejects.toMatchObject({
		code: 'CONFLICT',
		message: expect.stringMatching(/7 rows.*6/),
	})
	await expect(attempt('drop table reprieve.%I')).rejects.toMatchObject({ code: 'CONFLICT' })
	expect(await database.sql`select from reprieve.plans where status <> 'discarded'`).toHaveLength(0)
})
