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

/**
 * Every table that a delete on the given tables may touch, themselves first: partitions, inheritance children, and
 * transitively what ON DELETE CASCADE reaches; what SET NULL / SET DEFAULT reaches is rewritten, so nothing lies behind
 * it. A partition that a foreign key reaches brings its whole tree, because a row's move is told by its siblings.
 */
export async function readClosure(sql: Session, oids: number[]): Promise<ClosureTable[]> {
	if (oids.length === 0) return []
	const rows = await sql<{ found: ClosureTable[] }[]>`
		with recursive reach(asked, oid, why, "foreignKey", rewritten) as (
			select t.oid, t.oid, 'asked'::text, null::text, false from unnest(${arrayLiteral(oids)}::oid[]) t(oid)
			union
			select r.asked, next.* from reach r cross join lateral (
				select i.inhrelid, case when c.relispartition then 'partition' else 'inheritance' end, null::text, r.rewritten
				from pg_inherits i join pg_class c on c.oid = i.inhrelid where i.inhparent = r.oid
				union all
				select pg_partition_root(r.oid)::oid, r.why, null::text, r.rewritten
				from pg_class c where c.oid = r.oid and c.relispartition and r.why not in ('asked', 'partition')
				union all
				select f.conrelid, case f.confdeltype when 'c' then 'cascade' when 'n' then 'setNull' else 'setDefault' end,
					f.conname::text collate "default", f.confdeltype <> 'c'
				from pg_constraint f
				where f.contype = 'f' and f.confrelid = r.oid and f.confdeltype in ('c', 'n', 'd') and not r.rewritten
			) next(oid, why, "foreignKey", rewritten)),
		folded as (
			select asked, oid, array_agg(distinct why) as whys,
				array_agg(distinct "foreignKey") filter (where "foreignKey" is not null) as "foreignKeys",
				bool_or(rewritten) as "isRelinked"
			from reach group by asked, oid)
		select coalesce(json_agg(json_build_object('asked', f.asked::int8, 'oid', f.oid::int8,
			'why', (select w from unnest(${arrayLiteral(closureReasons)}::text[]) with ordinality o(w, place)
				where w = any(f.whys) order by place limit 1),
			'foreignKeys', coalesce(to_json(f."foreignKeys"), '[]'), 'isRelinked', f."isRelinked")
			order by f.asked, f.oid <> f.asked, f.oid), '[]') as found
		from folded f`
	return rows[0]?.found ?? []
}
