import type { PlannedTable } from '@reprieve/control'
import type { Transaction } from '@reprieve/postgres'
import { expect, test } from 'vitest'
import { type Evaluation, evaluatePolicy } from '../../apps/service/src/plans/evaluate/evaluate.ts'
import { scanRows } from '../../apps/service/src/plans/scan-rows.ts'
import { bodyOf, type Ground, openGround, plan } from './support.ts'

const all = { kind: 'match' as const, table: 't', where: { and: [] } }

/** Leaf and key of each planned row of the policy's own table. */
async function leavesOf({ database }: Ground, planned: PlannedTable): Promise<string[]> {
	const rows = await database.sql.unsafe<{ row: string }[]>(
		`select c.relname || ' ' || p.k1 as row from ${scanRows(planned)} p join pg_class c on c.oid = p.leaf order by 1`,
	)
	return rows.map(({ row }) => row)
}

async function plannedTable(ground: Ground, policy: Parameters<typeof plan>[1] = all): Promise<PlannedTable> {
	const made = await plan(ground.services, policy)
	return (await bodyOf(ground.services, made.id)).tables[0] as PlannedTable
}

/** Evaluates a plan of all rows; `before` each of its statements others may do something. */
async function evaluateAround({ services }: Ground, before: (text: string) => Promise<void>): Promise<Evaluation> {
	const answer = await services.pools.plan.begin('isolation level repeatable read', async (tx) => {
		const unsafe = async (text: string, ...rest: []) => {
			await before(text)
			return await tx.unsafe(text, ...rest)
		}
		const watched = new Proxy(tx, { get: (of, name) => (name === 'unsafe' ? unsafe : Reflect.get(of, name)) })
		return await evaluatePolicy(watched as Transaction, all, { prefix: 'plan_watched', limit: 100 })
	})
	return answer as Evaluation
}

test('the leaf is stored with each row where a table has more than one, and once where it has not', async () => {
	await using ground = await openGround()
	const { sql } = ground.database
	await sql`create table public.t (id int primary key)`
	await sql`insert into public.t values (1), (2)`
	const alone = await plannedTable(ground)
	expect(alone.packed).toMatchObject({ columns: ['k1', 'version'], leaf: alone.oid })
	expect(await leavesOf(ground, alone)).toEqual(['t 1', 't 2'])
	await sql`create table public.child (primary key (id)) inherits (public.t)`
	await sql`insert into public.child values (1)`
	const parent = await plannedTable(ground)
	expect(parent.packed?.columns).toEqual(['leaf', 'k1', 'version'])
	expect(parent.packed?.leaf).toBeUndefined()
	expect(await leavesOf(ground, parent)).toEqual(['child 1', 't 1', 't 2'])
	await sql`create table public.parted (id int primary key) partition by list (id)`
	await sql`create table public.one partition of public.parted for values in (1)`
	await sql`create table public.two partition of public.parted for values in (2)`
	await sql`insert into public.parted values (1), (2)`
	const parted = await plannedTable(ground, { ...all, table: 'parted' })
	expect(parted.packed?.columns).toEqual(['leaf', 'k1', 'version'])
	expect(await leavesOf(ground, parted)).toEqual(['one 1', 'two 2'])
	const leaf = await plannedTable(ground, { ...all, table: 'two' })
	expect(await leavesOf(ground, leaf)).toEqual(['two 2'])
})

test('an inheritance child that is attached while a plan is made is not planned under its parent', async () => {
	await using ground = await openGround()
	const { sql } = ground.database
	await sql`create table public.t (id int primary key)`
	await sql`create table public.child (id int primary key)`
	await sql`insert into public.t values (1)`
	await sql`insert into public.child values (1), (2)`
	const evaluation = await evaluateAround(ground, async (text) => {
		if (text.includes('create table reprieve.')) await sql`alter table public.child inherit public.t`
	})
	const [planned] = evaluation.body.tables
	expect(await leavesOf(ground, planned as PlannedTable)).toEqual(['t 1'])
	await plannedTable(ground).then((now) => expect(now.rows).toBe(3))
})

test('tables that are swapped while a plan is made are not taken for each other', async () => {
	await using ground = await openGround()
	const { sql } = ground.database
	await sql`create table public.t (id int primary key)`
	await sql`create table public.made_anew (id int primary key)`
	await sql`insert into public.made_anew values (1)`
	const swap = async () => {
		await sql`alter table public.t rename to old`
		await sql`alter table public.made_anew rename to t`
	}
	const evaluated = evaluateAround(ground, async (text) => {
		if (text.startsWith('lock table')) await swap()
	})
	await expect(evaluated).rejects.toMatchObject({ code: 'CONFLICT' })
})
