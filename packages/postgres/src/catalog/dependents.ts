import type { ForeignKeyAction, TableName } from '@reprieve/contracts'
import type { Session } from '../session.ts'
import { arrayLiteral } from '../values/array.ts'
import { foreignKeyActions } from './describe.ts'

/** A table at one end of a foreign key. */
export type ForeignKeyEnd = TableName & {
	oid: number
	/** OID of the partition root that it belongs to, itself when it is none. */
	rootOid: number
	kind: 'r' | 'p'
	/** Columns of the key, parallel at both ends. */
	columns: string[]
	/** OIDs of the tables whose rows this end speaks of: the leaves of a partitioned table, else the table alone. */
	leaves: number[]
}

/** A foreign key seen from the rows that it points at. */
export type IncomingForeignKey = {
	oid: number
	name: string
	onDelete: ForeignKeyAction
	deferrable: boolean
	/** The referencing table. */
	child: ForeignKeyEnd
	/** The referenced table. */
	parent: ForeignKeyEnd
	/** Columns that SET NULL / SET DEFAULT rewrites; empty for other actions. */
	rewrites: string[]
	/** MATCH FULL: a reference is NULL as a whole or not at all. */
	full: boolean
	/** SQL of the value that SET DEFAULT gives each of `rewrites`; null where it has none. */
	defaults: (string | null)[]
	/** Whether the rewrite would fail or travel on: a NOT NULL column set to null, or a column that others reference. */
	rewriteHolds: boolean
	/** `operator(schema.=)` per column, parent's value on the left: the very operator that the constraint uses. */
	operators: string[]
}

type KeyRow = Omit<IncomingForeignKey, 'onDelete'> & { action: string }

/** The tables with all their partitions and inheritance children, and the partition roots that they belong to. */
const familyQuery = `
	with recursive up(oid) as (
		select unnest($1::text::oid[])
		union select i.inhparent from up join pg_class c on c.oid = up.oid and c.relispartition
			join pg_inherits i on i.inhrelid = c.oid),
	family(oid) as (
		select oid from up
		union select i.inhrelid from family f join pg_inherits i on i.inhparent = f.oid)
	select oid from family`

/** The same, of each table by itself. */
const familiesQuery = `
	with recursive up(origin, oid) as (
		select o, o from unnest($1::text::oid[]) o
		union select up.origin, i.inhparent from up join pg_class c on c.oid = up.oid and c.relispartition
			join pg_inherits i on i.inhrelid = c.oid),
	family(origin, oid) as (
		select origin, oid from up
		union select f.origin, i.inhrelid from family f join pg_inherits i on i.inhparent = f.oid)
	select origin::int8::float8 as origin, oid::int8::float8 as oid from family`

/** OIDs of the tables, of all their partitions and inheritance children, and of the partition roots above them. */
export async function readFamily(sql: Session, oids: number[]): Promise<number[]> {
	const rows = await sql.unsafe<{ oid: number }[]>(
		`select f.oid::int8::float8 as oid from (${familyQuery}) f order by 1`,
		[arrayLiteral(oids)],
	)
	return rows.map((row) => Number(row.oid))
}

/** {@link readFamily} of each table, by its OID. */
export async function readFamilies(sql: Session, oids: number[]): Promise<Map<number, Set<number>>> {
	const rows = await sql.unsafe<{ origin: number; oid: number }[]>(familiesQuery, [arrayLiteral(oids)])
	const families = new Map(oids.map((oid) => [oid, new Set<number>()]))
	for (const { origin, oid } of rows) families.get(Number(origin))?.add(Number(oid))
	return families
}

const endQuery = (relation: string, keys: string) => `json_build_object(
	'oid', ${relation}.oid::int8, 'schema', (select nspname from pg_namespace where oid = ${relation}.relnamespace),
	'name', ${relation}.relname, 'kind', ${relation}.relkind,
	'rootOid', coalesce(pg_partition_root(${relation}.oid)::oid, ${relation}.oid)::int8,
	'columns', (select json_agg(a.attname order by k.place) from unnest(${keys}) with ordinality k(attnum, place)
		join pg_attribute a on a.attrelid = ${relation}.oid and a.attnum = k.attnum),
	'leaves', case when ${relation}.relkind = 'p' then
		(select coalesce(json_agg(t.relid::oid::int8 order by t.relid), '[]') from pg_partition_tree(${relation}.oid) t where t.isleaf)
		else json_build_array(${relation}.oid::int8) end)`

/** Asked of all tables at once: pg_constraint has no index on the referenced table. */
const keysQuery = `
	with pointing as materialized (
		select f.* from pg_constraint f
		where f.contype = 'f' and f.conparentid = 0 and f.confrelid in (select unnest($1::text::oid[]))),
	referenced as materialized (
		select o.confrelid, k.attnum from pg_constraint o cross join unnest(o.confkey) k(attnum)
		where o.contype = 'f' and o.confrelid in (select conrelid from pointing where confdeltype in ('n', 'd')))
	select json_build_object('oid', f.oid::int8, 'name', f.conname, 'action', f.confdeltype, 'deferrable', f.condeferrable,
		'full', f.confmatchtype = 'f',
		'child', ${endQuery('c', 'f.conkey')}, 'parent', ${endQuery('p', 'f.confkey')},
		'rewrites', case when f.confdeltype in ('n', 'd') then (
			select json_agg(a.attname order by k.place) from unnest(coalesce(f.confdelsetcols, f.conkey)) with ordinality k(attnum, place)
			join pg_attribute a on a.attrelid = c.oid and a.attnum = k.attnum) else '[]' end,
		'defaults', case when f.confdeltype = 'd' then (
			select json_agg(coalesce(pg_get_expr(d.adbin, d.adrelid), pg_get_expr(y.typdefaultbin, 0)) order by k.place)
			from unnest(coalesce(f.confdelsetcols, f.conkey)) with ordinality k(attnum, place)
			join pg_attribute a on a.attrelid = c.oid and a.attnum = k.attnum join pg_type y on y.oid = a.atttypid
			left join pg_attrdef d on d.adrelid = a.attrelid and d.adnum = a.attnum) else '[]' end,
		'rewriteHolds', f.confdeltype in ('n', 'd') and exists (
			select from unnest(coalesce(f.confdelsetcols, f.conkey)) k(attnum)
			join pg_attribute a on a.attrelid = c.oid and a.attnum = k.attnum
			where (a.attnotnull and (f.confdeltype = 'n' or not a.atthasdef))
				or (c.oid, a.attnum) in (select confrelid, attnum from referenced)),
		'operators', (select json_agg(format('operator(%I.%s)', n.nspname, o.oprname) order by k.place)
			from unnest(f.conpfeqop) with ordinality k(opr, place) join pg_operator o on o.oid = k.opr
			join pg_namespace n on n.oid = o.oprnamespace)) as key
	from pointing f join pg_class c on c.oid = f.conrelid join pg_class p on p.oid = f.confrelid
	order by f.oid`

/**
 * Foreign keys that point at the tables, at their partitions and inheritance children, or at the roots above them. A key
 * declared on a partitioned table is answered once, for its root; one declared on a leaf alone, for the leaf.
 */
export async function readIncoming(sql: Session, oids: number[]): Promise<IncomingForeignKey[]> {
	if (oids.length === 0) return []
	const family = await readFamily(sql, oids)
	const rows = await sql.unsafe<{ key: KeyRow }[]>(keysQuery, [arrayLiteral(family)])
	return rows.map(({ key: { action, ...key } }) => ({ ...key, onDelete: foreignKeyActions[action] ?? 'noAction' }))
}

/**
 * Foreign keys that a deletion from the tables can reach, in the order in which they are reached. `follows` says whether
 * the rows at the other end are deleted too, so that the keys pointing at those come in as well (default: cascades).
 */
export async function readDependents(
	sql: Session,
	oids: number[],
	follows: (key: IncomingForeignKey) => boolean = (key) => key.onDelete === 'cascade',
): Promise<IncomingForeignKey[]> {
	const found = new Map<number, IncomingForeignKey>()
	const reached = new Set<number>()
	for (let next = oids; next.length > 0; ) {
		for (const oid of next) reached.add(oid)
		const keys = (await readIncoming(sql, next)).filter((key) => !found.has(key.oid))
		for (const key of keys) found.set(key.oid, key)
		next = [...new Set(keys.filter(follows).map((key) => key.child.rootOid))].filter((oid) => !reached.has(oid))
	}
	return [...found.values()]
}

const closureQuery = `
	with family as materialized (${familyQuery}), facts(fact) as (
		select format('foreign key %s %s %s %s', f.oid, f.conrelid, f.confrelid, pg_get_constraintdef(f.oid))
		from pg_constraint f
		where f.contype = 'f' and f.conparentid = 0
			and (f.conrelid in (select oid from family) or f.confrelid in (select oid from family))
		union all
		select format('trigger %s %s %s %s', t.tgrelid, t.tgenabled, pg_get_triggerdef(t.oid), md5(p.prosrc))
		from pg_trigger t join pg_proc p on p.oid = t.tgfoid
		where not t.tgisinternal and t.tgparentid = 0 and t.tgrelid in (select oid from family)
			and p.pronamespace <> coalesce((select oid from pg_namespace where nspname = 'reprieve'), 0)
		union all
		select format('rule %s %s %s', r.ev_class, r.ev_enabled, pg_get_ruledef(r.oid))
		from pg_rewrite r where r.ev_class in (select oid from family))
	select encode(sha256(convert_to(coalesce(string_agg(fact, E'\\n' order by fact collate "C"), ''), 'UTF8')), 'hex') as hash
	from facts`

/**
 * Digest over the foreign keys, triggers and rules of the tables and their partitions, keys pointing at them included.
 * New partitions and reprieve's own guards leave it as it is.
 */
export async function closureHash(sql: Session, oids: number[]): Promise<string> {
	const [row] = await sql.unsafe<{ hash: string }[]>(closureQuery, [arrayLiteral(oids)])
	return row?.hash ?? ''
}
