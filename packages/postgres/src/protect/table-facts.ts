import type { WireType } from '@reprieve/contracts'
import { wireColumns } from '../catalog/wire-types.ts'
import type { Session } from '../session.ts'
import { arrayLiteral } from '../values/array.ts'

/** A publication as it takes in one table. */
export type Membership = {
	publication: string
	/** How the table comes to be in it. */
	by: 'table' | 'ancestor' | 'schema' | 'all'
	insert: boolean
	update: boolean
	delete: boolean
	viaRoot: boolean
	hasColumnList: boolean
	hasRowFilter: boolean
	/** PostgreSQL 18: does not publish stored generated columns. */
	hidesGenerated: boolean
}

type ProtectionRecord = {
	rootOid: number
	why: string
	formerIdentity: string
	formerIndex: string | null
	truncate: 'refuse' | 'archive'
	status: 'pending' | 'ready'
	changedXid: string
	acknowledged: string[]
	protectedSince: string | null
}

/** What protection needs to know of one table (pg_class entry of any kind). */
export type TableFacts = {
	oid: number
	schema: string
	name: string
	/** pg_class.relkind. */
	kind: string
	persistence: string
	identity: string
	/** Index of REPLICA IDENTITY USING INDEX. */
	identityIndex: string | null
	isPartition: boolean
	rootOid: number
	/** The session's role owns it. */
	isOwned: boolean
	/** Row security applies to the session's role. */
	isFiltered: boolean
	hasKey: boolean
	virtualColumns: string[]
	storedColumns: string[]
	inexactColumns: { column: string; type: string }[]
	/** Every stored column that is not generated. */
	wireColumns: { column: string; type: string; wire: WireType }[]
	/** Constraints that were never checked for the rows that were there, and the statement that checks them. */
	notValid: { constraint: string; remedy: string }[]
	deleteTriggers: string[]
	deleteRules: string[]
	guard: { mode: 'refuse' | 'archive' | null; enabled: string } | null
	memberships: Membership[]
	/** Average bytes of a row by the planner's statistics; 0 without any. */
	averageRowBytes: number
	record: ProtectionRecord | null
}

/** Facts of tables by OID; a dropped table is absent. */
export async function readTableFacts(sql: Session, oids: number[]): Promise<Map<number, TableFacts>> {
	const rows = await sql<{ facts: TableFacts }[]>`
		with unchecked as materialized (
			select k.* from pg_constraint k
			where not k.convalidated and coalesce((to_jsonb(k) ->> 'conenforced')::bool, true) and k.conparentid = 0)
		select json_build_object(
			'oid', c.oid::int8, 'schema', n.nspname, 'name', c.relname, 'kind', c.relkind,
			'persistence', c.relpersistence, 'identity', c.relreplident, 'isPartition', c.relispartition,
			'rootOid', coalesce(pg_partition_root(c.oid)::oid, c.oid)::int8,
			'identityIndex', (
				select x.relname from pg_index i join pg_class x on x.oid = i.indexrelid
				where i.indrelid = c.oid and i.indisreplident),
			'isOwned', pg_has_role(c.relowner, 'USAGE'),
			'isFiltered', row_security_active(c.oid),
			'hasKey', exists (
				select from pg_index i
				where i.indrelid = c.oid and i.indisunique and i.indisvalid and i.indimmediate and i.indpred is null
					and i.indexprs is null and not exists (
						select from unnest(i.indkey::int2[]) with ordinality u(attnum, place)
						join pg_attribute a on a.attrelid = c.oid and a.attnum = u.attnum
						where u.place <= i.indnkeyatts and not a.attnotnull)),
			'virtualColumns', (
				select coalesce(json_agg(a.attname order by a.attnum), '[]') from pg_attribute a
				where a.attrelid = c.oid and a.attgenerated = 'v' and not a.attisdropped),
			'storedColumns', (
				select coalesce(json_agg(a.attname order by a.attnum), '[]') from pg_attribute a
				where a.attrelid = c.oid and a.attgenerated = 's' and not a.attisdropped),
			'inexactColumns', (${inexactColumns(sql)}),
			'wireColumns', (${wireColumns(sql)}),
			'notValid', (${notValid(sql)}),
			'deleteTriggers', (
				select coalesce(json_agg(t.tgname order by t.tgname), '[]') from pg_trigger t
				where t.tgrelid = c.oid and not t.tgisinternal and t.tgparentid = 0 and t.tgenabled <> 'D'
					and t.tgtype & 8 <> 0),
			'deleteRules', (
				select coalesce(json_agg(r.rulename order by r.rulename), '[]') from pg_rewrite r
				where r.ev_class = c.oid and r.ev_type = '4' and r.ev_enabled <> 'D'),
			'guard', (
				select json_build_object('enabled', t.tgenabled, 'mode', case f.proname
					when 'refuse_truncate' then 'refuse' when 'archive_truncate' then 'archive' end)
				from pg_trigger t join pg_proc f on f.oid = t.tgfoid
				where t.tgrelid = c.oid and t.tgname = 'reprieve_guard_truncate'),
			'memberships', (${memberships(sql)}),
			'averageRowBytes', case when c.reltuples > 0 and c.relkind = 'r'
				then round(pg_table_size(c.oid) / c.reltuples) else 0 end,
			'record', (
				select json_build_object('rootOid', p.root_oid, 'why', p.why, 'formerIdentity', p.former_identity,
					'formerIndex', p.former_index, 'truncate', p.truncate, 'status', p.status,
					'changedXid', p.changed_xid, 'acknowledged', p.acknowledged, 'protectedSince', p.protected_since)
				from reprieve.protected_tables p where p.oid = c.oid)) as facts
		from pg_class c join pg_namespace n on n.oid = c.relnamespace
		where c.oid = any(${arrayLiteral(oids)}::oid[])`
	return new Map(rows.map((row) => [row.facts.oid, row.facts]))
}

/** Types without an exact text form, also inside arrays, domains, composites and ranges (facts: cdc, text exactness). */
function inexactColumns(sql: Session) {
	return sql`
		with recursive parts(attnum, attname, outer_type, oid) as (
			select a.attnum, a.attname, format_type(a.atttypid, a.atttypmod), a.atttypid from pg_attribute a
			where a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped and a.attgenerated = ''
			union
			select p.attnum, p.attname, p.outer_type, inner_type.oid from parts p cross join lateral (
				select t.typelem from pg_type t where t.oid = p.oid and t.typelem <> 0 and t.typcategory = 'A'
				union all select t.typbasetype from pg_type t where t.oid = p.oid and t.typtype = 'd'
				union all select r.rngsubtype from pg_range r where r.rngtypid = p.oid or r.rngmultitypid = p.oid
				union all select m.atttypid from pg_type t join pg_attribute m on m.attrelid = t.typrelid
					where t.oid = p.oid and t.typtype = 'c' and m.attnum > 0 and not m.attisdropped
			) inner_type(oid))
		select coalesce(json_agg(distinct jsonb_build_object('column', p.attname, 'type', p.outer_type)), '[]')
		from parts p join pg_type t on t.oid = p.oid
		where t.typname in ('xml', 'seg', 'pg_node_tree', 'pg_ndistinct', 'pg_dependencies', 'pg_mcv_list', 'gtsvector',
				'pg_brin_bloom_summary', 'pg_brin_minmax_multi_summary', 'aclitem', 'gtrgm', 'ghstore', 'ltree_gist')
			or t.typname like 'gbtreekey%'
			or (t.typnamespace = 'pg_catalog'::regnamespace and t.typname like 'reg%')`
}

/** NOT VALID constraints of the table and of its columns' domains; what is not enforced refuses no row. */
function notValid(sql: Session) {
	return sql`
		select coalesce(json_agg(json_build_object('constraint', k.conname, 'remedy', case when k.conrelid = c.oid
				then format('ALTER TABLE %I.%I VALIDATE CONSTRAINT %I', n.nspname, c.relname, k.conname)
				else format('ALTER DOMAIN %s VALIDATE CONSTRAINT %I', k.contypid::regtype, k.conname) end)
			order by k.conname), '[]')
		from unchecked k
		where k.conrelid = c.oid and not (c.relispartition and k.coninhcount > 0) or k.contypid in (
			select a.atttypid from pg_attribute a where a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
				and a.atttypid <> 0)`
}

/** Every publication that takes the table in, named, by an ancestor, by its schema, or because it takes all. */
function memberships(sql: Session) {
	return sql`
		select coalesce(json_agg(json_build_object('publication', b.pubname, 'by', m.by, 'insert', b.pubinsert,
			'update', b.pubupdate, 'delete', b.pubdelete, 'viaRoot', b.pubviaroot,
			'hasColumnList', m.columns, 'hasRowFilter', m.filter,
			'hidesGenerated', coalesce(to_jsonb(b)->>'pubgencols', 's') = 'n') order by b.pubname, m.by), '[]')
		from pg_publication b cross join lateral (
			select 'table', r.prattrs is not null, r.prqual is not null from pg_publication_rel r
			where r.prpubid = b.oid and r.prrelid = c.oid
			union all
			select 'ancestor', b.pubviaroot and r.prattrs is not null, b.pubviaroot and r.prqual is not null
			from pg_publication_rel r
			where r.prpubid = b.oid and r.prrelid <> c.oid and c.relispartition
				and r.prrelid in (select relid from pg_partition_ancestors(c.oid))
			union all
			select 'schema', false, false from pg_publication_namespace s
			where s.pnpubid = b.oid and s.pnnspid in (
				select c.relnamespace
				union all
				select a.relnamespace from pg_partition_ancestors(c.oid) up join pg_class a on a.oid = up.relid
				where c.relispartition)
			union all
			select 'all', false, false where b.puballtables
		) m(by, columns, filter)`
}
