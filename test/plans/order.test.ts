import type { Sql } from '@reprieve/postgres'
import { expect, test } from 'vitest'
import { scanRows } from '../../apps/service/src/plans/scan-rows.ts'
import { bodyOf, type Ground, openGround, plan, unitsOf } from './support.ts'

type Key = { child: number; parent: number; action: string; column: string }
type Graph = { tables: number; keys: Key[]; refs: Map<string, Map<string, string>>; matched: Set<string> }

/** A small generator of even numbers in [0, 1): the same seed, the same graph. */
function random(seed: number): () => number {
	let state = seed * 2_654_435_761
	return () => {
		state = (state * 1_664_525 + 1_013_904_223) % 4_294_967_296
		return state / 4_294_967_296
	}
}

const actions = ['cascade', 'set null', 'no action', 'restrict', 'cascade']
const rowsEach = 24

async function build(sql: Sql, seed: number): Promise<Graph> {
	const next = random(seed)
	const pick = (n: number) => Math.floor(next() * n)
	const tables = 2 + pick(3)
	const keys: Key[] = []
	for (let child = 0; child < tables; child++) {
		await sql.unsafe(`create table public.t${child} (id int primary key, hit boolean not null)`)
		for (let i = 0; i < rowsEach; i++) await sql.unsafe(`insert into public.t${child} values (${i}, ${next() < 0.4})`)
	}
	const refs = new Map<string, Map<string, string>>()
	const count = 1 + pick(tables * 2)
	for (let index = 0; index < count; index++) {
		const key = { child: pick(tables), parent: pick(tables), action: actions[pick(5)] as string, column: `f${index}` }
		keys.push(key)
		await sql.unsafe(
			`alter table public.t${key.child} add column ${key.column} int references public.t${key.parent} on delete ${key.action}`,
		)
		for (let i = 0; i < rowsEach; i++) {
			if (next() > 0.35) continue
			const target = pick(rowsEach)
			await sql.unsafe(`update public.t${key.child} set ${key.column} = ${target} where id = ${i}`)
			const row = refs.get(`t${key.child}:${i}`) ?? new Map<string, string>()
			refs.set(`t${key.child}:${i}`, row.set(key.column, `t${key.parent}:${target}`))
		}
	}
	const hits = await sql<{ id: number }[]>`select id from public.t0 where hit`
	return { tables, keys, refs, matched: new Set(hits.map((row) => `t0:${row.id}`)) }
}

type Reference = { child: string; parent: string; action: string; column: string }

function references(graph: Graph): Reference[] {
	const byColumn = new Map(graph.keys.map((key) => [key.column, key.action]))
	return [...graph.refs].flatMap(([child, row]) =>
		[...row].map(([column, parent]) => ({ child, parent, column, action: byColumn.get(column) as string })),
	)
}

/** The rows that go, by trying: close, find what is held, leave out, and again. */
function expected(graph: Graph, onRestrict: 'skip' | 'include'): Set<string> {
	const all = references(graph)
	const holds = (action: string) => action === 'no action' || action === 'restrict'
	const forces = (action: string) => action === 'cascade' || (onRestrict === 'include' && holds(action))
	const roots = new Set(graph.matched)
	for (;;) {
		const closure = new Set(roots)
		for (const row of closure) {
			for (const ref of all) if (ref.parent === row && forces(ref.action)) closure.add(ref.child)
		}
		const held = new Set(
			all
				.filter((ref) => closure.has(ref.parent) && holds(ref.action) && !closure.has(ref.child))
				.map((ref) => ref.parent),
		)
		for (const row of held) {
			for (const ref of all)
				if (ref.child === row && closure.has(ref.parent) && ref.action !== 'set null') held.add(ref.parent)
		}
		const left = [...roots].filter((row) => held.has(row))
		if (left.length === 0) return closure
		for (const row of left) roots.delete(row)
	}
}

/** Deletes unit by unit as a run does, one statement each, and answers the rows that are left. */
async function execute(ground: Ground, id: string): Promise<Set<string>> {
	const { sql } = ground.database
	const body = await bodyOf(ground.services, id)
	for (let unit = 1; unit <= body.units; unit++) {
		const steps = body.tables.map((table, index) => {
			const rows = `${scanRows(table)} p where t.id = p.k1 and t.xmin = p.version and p.unit = ${unit}`
			return table.action === 'delete'
				? `d${index} as (delete from public.${table.table} t using ${rows} returning 1)`
				: `d${index} as (update public.${table.table} t set ${table.rewrites.map((column) => `${column} = null`).join(', ')} from ${rows} returning 1)`
		})
		const counts = body.tables.map((_, index) => `(select count(*) from d${index})`)
		const planned = body.tables.map((table) => `(select count(*) from ${scanRows(table)} p where unit = ${unit})`)
		const [row] = await sql.unsafe<{ done: number; planned: number }[]>(
			`with ${steps.join(', ')} select (${counts.join('+')})::int as done, (${planned.join('+')})::int as planned`,
		)
		expect(row?.done, `unit ${unit}`).toBe(row?.planned)
	}
	const left = new Set<string>()
	const names = await sql<
		{ name: string }[]
	>`select relname as name from pg_class where relnamespace = 'public'::regnamespace and relkind = 'r'`
	for (const { name } of names) {
		for (const { id: row } of await sql.unsafe<{ id: number }[]>(`select id from public.${name}`))
			left.add(`${name}:${row}`)
	}
	return left
}

for (const onRestrict of ['skip', 'include'] as const) {
	test(`random graphs, ${onRestrict}: units run in order delete exactly what is planned`, async () => {
		await using ground = await openGround()
		for (let seed = 1; seed <= 20; seed++) {
			await ground.database.sql`drop schema public cascade`
			await ground.database.sql`create schema public`
			await checkGraph(ground, seed, onRestrict)
		}
	})
}

async function checkGraph(ground: Ground, seed: number, onRestrict: 'skip' | 'include'): Promise<void> {
	const graph = await build(ground.database.sql, seed)
	const where = { column: 'hit', op: 'eq', value: true } as const
	const made = await plan(ground.services, { kind: 'match', table: 't0', where, onRestrict })
	const units = await unitsOf(ground.services, made.id)
	const deleted = new Map([...units].filter(([, row]) => row.action === 'delete'))
	const goes = expected(graph, onRestrict)
	expect([...deleted.keys()].sort(), `graph ${seed}`).toEqual([...goes].sort())
	expect(made.rows + made.blocked).toBe(graph.matched.size)
	for (const ref of references(graph)) {
		const parent = deleted.get(ref.parent)
		if (!parent) continue
		expect(units.get(ref.child)?.unit, `graph ${seed}: ${ref.child} before ${ref.parent}`).toBeLessThanOrEqual(
			parent.unit,
		)
	}
	const body = await bodyOf(ground.services, made.id)
	expect(new Set([...units.values()].map((row) => row.unit)).size).toBe(body.units)
	const left = await execute(ground, made.id)
	expect([...left].filter((row) => goes.has(row))).toEqual([])
	expect(left.size + goes.size).toBe(graph.tables * rowsEach)
}

test('a chain of self references goes child before parent, a cycle goes together', async () => {
	await using ground = await openGround()
	await ground.database.sql`create table public.t (id int primary key, up int references public.t)`
	await ground.database
		.sql`insert into public.t select i, case when i > 1 then i - 1 end from generate_series(1, 300) i`
	await ground.database
		.sql`insert into public.t values (1001, null), (1002, 1001), (1003, 1002), (1004, 1003), (1005, 1001)`
	await ground.database.sql`update public.t set up = 1003 where id = 1001`
	const made = await plan(ground.services, { kind: 'match', table: 't', where: { and: [] } })
	const units = await unitsOf(ground.services, made.id)
	const unit = (id: number) => units.get(`t:${id}`)?.unit ?? 0
	for (let id = 2; id <= 300; id++) expect(unit(id)).toBeLessThan(unit(id - 1))
	expect([unit(1002), unit(1003)]).toEqual([unit(1001), unit(1001)])
	expect(unit(1004)).toBeLessThan(unit(1001))
	expect(unit(1005)).toBeLessThan(unit(1001))
	expect((await bodyOf(ground.services, made.id)).largestUnit).toBe(3)
})

test('a dependent that two planned parents share goes with the earlier, a relinked one joins them', async () => {
	await using ground = await openGround()
	await ground.database.sql`create table public.t (id int primary key)`
	await ground.database
		.sql`create table public.pair (id int primary key, a int references public.t on delete cascade, b int references public.t on delete cascade)`
	await ground.database
		.sql`create table public.note (id int primary key, a int references public.t on delete set null, b int references public.t on delete set null)`
	await ground.database.sql`insert into public.t select generate_series(1, 6)`
	await ground.database.sql`insert into public.pair values (1, 4, 2), (2, null, 6)`
	await ground.database.sql`insert into public.note values (1, 5, 3), (2, 1, null)`
	const made = await plan(ground.services, { kind: 'match', table: 't', where: { and: [] } })
	expect(made.dependents).toEqual([
		{ table: 'pair', action: 'delete', rows: 2 },
		{ table: 'note', action: 'setNull', rows: 2 },
	])
	const units = await unitsOf(ground.services, made.id)
	const unit = (row: string) => units.get(row)?.unit
	expect(unit('pair:1')).toBe(unit('t:2'))
	expect(unit('t:2')).not.toBe(unit('t:4'))
	expect(unit('t:5')).toBe(unit('t:3'))
	expect(unit('note:1')).toBe(unit('t:3'))
	expect((await bodyOf(ground.services, made.id)).tables.filter((table) => table.action === 'setNull')).toMatchObject([
		{ rewrites: ['a', 'b'], rows: 1 },
		{ rewrites: ['a'], rows: 1 },
	])
	expect((await execute(ground, made.id)).size).toBe(2)
})
