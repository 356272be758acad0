import type { Session } from '../session.ts'
import { arrayLiteral } from '../values/array.ts'

/** How a delete on an asked table comes to a table, the strongest way first. */
export const closureReasons = ['asked', 'cascade', 'partition', 'inheritance', 'setNull', 'setDefault'] as const
export type ClosureReason = (typeof closureReasons)[number]

/** One table that a delete on an asked table may touch. */
export type ClosureTable = {
	/** The table that was asked about. */
	asked: number
	oid: number
	why: ClosureReason
	/** Foreign keys by which it is reached, sorted. */
	foreignKeys: string[]
	/** Rows of it may be rewritten by SET NULL / SET DEFAULT. */
	isRelinked: boolean
}

/** One step that a delete can take from one table to the next. */
type Step = { from: number; to: number; why: ClosureReason | 'root'; foreignKey: string | null }

/** A table as one asked table reaches it. What SET NULL / SET DEFAULT reaches is rewritten: nothing lies behind it. */
type Reached = { oid: number; why: ClosureReason; isRewritten: boolean; foreignKey: string | null }

/**
 * Every table that a delete on the given tables may touch, themselves first: partitions, inheritance children, and
 * transitively what ON DELETE CASCADE reaches; what SET NULL / SET DEFAULT reaches is rewritten, so nothing lies behind
 * it. A partition that a foreign key reaches brings its whole tree, because a row's move is told by its siblings.
 */
export async function readClosure(sql: Session, oids: number[]): Promise<ClosureTable[]> {
	const steps = await readSteps(sql, oids)
	return [...new Set(oids)].sort((a, b) => a - b).flatMap((asked) => closureOf(asked, steps))
}

/** All steps from the tables on, read breadth first: pg_constraint has no index on the referenced table. */
async function readSteps(sql: Session, oids: number[]): Promise<Map<number, Step[]>> {
	const steps = new Map<number, Step[]>()
	for (let next = [...new Set(oids)]; next.length > 0; ) {
		const found = await readStepsFrom(sql, next)
		for (const oid of next) steps.set(oid, [])
		for (const step of found) steps.get(step.from)?.push(step)
		next = [...new Set(found.map((step) => step.to))].filter((oid) => !steps.has(oid))
	}
	return steps
}

async function readStepsFrom(sql: Session, oids: number[]): Promise<Step[]> {
	const rows = await sql<{ found: Step[] }[]>`
		with tables(oid) as materialized (select unnest(${arrayLiteral(oids)}::oid[])),
		steps(origin, target, why, "foreignKey") as (
			select i.inhparent, i.inhrelid, case when c.relispartition then 'partition' else 'inheritance' end, null::text
			from tables t join pg_inherits i on i.inhparent = t.oid join pg_class c on c.oid = i.inhrelid
			union all
			select t.oid, pg_partition_root(t.oid)::oid, 'root', null from tables t join pg_class c on c.oid = t.oid
			where c.relispartition
			union all
			select f.confrelid, f.conrelid, case f.confdeltype when 'c' then 'cascade' when 'n' then 'setNull' else 'setDefault' end,
				f.conname::text collate "default"
			from pg_constraint f
			where f.contype = 'f' and f.confdeltype in ('c', 'n', 'd') and f.confrelid in (select oid from tables))
		select coalesce(json_agg(json_build_object('from', s.origin::int8, 'to', s.target::int8, 'why', s.why,
			'foreignKey', s."foreignKey")), '[]') as found
		from steps s`
	return rows[0]?.found ?? []
}

function closureOf(asked: number, steps: ReadonlyMap<number, Step[]>): ClosureTable[] {
	const reached: Reached[] = [{ oid: asked, why: 'asked', isRewritten: false, foreignKey: null }]
	const known = new Set<string>()
	for (const table of reached) {
		const state = `${table.oid} ${table.why} ${table.isRewritten}`
		if (known.has(state)) continue
		known.add(state)
		for (const step of steps.get(table.oid) ?? []) reached.push(...follow(table, step))
	}
	const byTable = Map.groupBy(reached, (table) => table.oid)
	const oids = [...byTable.keys()].sort((a, b) => Number(b === asked) - Number(a === asked) || a - b)
	return oids.map((oid) => fold(asked, oid, byTable.get(oid) ?? []))
}

function follow(table: Reached, step: Step): Reached[] {
	const { to, why, foreignKey } = step
	const { isRewritten } = table
	if (why === 'root') {
		const isReached = table.why !== 'asked' && table.why !== 'partition'
		return isReached ? [{ oid: to, why: table.why, isRewritten, foreignKey }] : []
	}
	if (why === 'partition' || why === 'inheritance') return [{ oid: to, why, isRewritten, foreignKey }]
	return isRewritten ? [] : [{ oid: to, why, isRewritten: why !== 'cascade', foreignKey }]
}

function fold(asked: number, oid: number, ways: Reached[]): ClosureTable {
	const whys = new Set(ways.map((way) => way.why))
	return {
		asked,
		oid,
		why: closureReasons.find((reason) => whys.has(reason)) ?? 'asked',
		foreignKeys: [...new Set(ways.flatMap((way) => way.foreignKey ?? []))].sort(),
		isRelinked: ways.some((way) => way.isRewritten),
	}
}
