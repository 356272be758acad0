import type { SourceTable } from '@reprieve/contracts'
import { arrayLiteral, describeTables, type Sql } from '@reprieve/postgres'
import type { TypeName } from './match.ts'
import type { Slot } from './slots.ts'

/** A parent's columns that a SET NULL or SET DEFAULT foreign key names. */
type ReferencedColumns = { oid: number; columns: string[] }

/** What the catalog says about a relation of the stream. */
export type RelationFacts = {
	rootOid: number
	isPartition: boolean
	/** Columns that decide the partition, over all levels. */
	partitionColumns: string[]
	/** Some level is partitioned by an expression, so that its columns are not known. */
	hasPartitionExpression: boolean
	/** Columns of it (or of an ancestor) that relinkable children name. */
	referenced: ReferencedColumns[]
	/** The relation itself, and its root. */
	table?: SourceTable
	root?: SourceTable
}

/** Reads what is known of a relation; of one that was dropped, what protection remembers. */
export async function readRelationFacts(sql: Sql, oid: number): Promise<RelationFacts> {
	const [row] = await sql<(Omit<RelationFacts, 'table' | 'root'> & { rootOid: number | string })[]>`
		with recursive line(relid) as (
			select ${oid}::oid union select relid::oid from pg_partition_ancestors(${oid}::oid::regclass))
		select coalesce(pg_partition_root(c.oid)::oid, c.oid)::int8::float8 as "rootOid", c.relispartition as "isPartition",
			(select coalesce(json_agg(distinct a.attname), '[]') from line join pg_partitioned_table t on t.partrelid = line.relid
				cross join unnest(t.partattrs::int2[]) k(attnum)
				join pg_attribute a on a.attrelid = t.partrelid and a.attnum = k.attnum) as "partitionColumns",
			exists (select from line join pg_partitioned_table t on t.partrelid = line.relid
				where 0 = any(t.partattrs::int2[])) as "hasPartitionExpression",
			(select coalesce(json_agg(json_build_object('oid', f.confrelid::int8, 'columns', (
					select json_agg(a.attname order by k.place) from unnest(f.confkey) with ordinality k(attnum, place)
					join pg_attribute a on a.attrelid = f.confrelid and a.attnum = k.attnum))), '[]')
				from pg_constraint f join line on line.relid = f.confrelid
				where f.contype = 'f' and f.confdeltype in ('n', 'd') and f.conparentid = 0) as referenced
		from pg_class c where c.oid = ${oid}::oid`
	if (!row) return await readDropped(sql, oid)
	const rootOid = Number(row.rootOid)
	const tables = await describeTables(sql, [oid, rootOid])
	const byOid = (wanted: number) => tables.find((table) => table.oid === wanted)
	return { ...row, rootOid, table: byOid(oid), root: byOid(rootOid) }
}

/**
 * Columns whose NOT NULL, as the catalog has it, says nothing of a transaction's rows: what the catalog has was written by
 * it or after it, or is not validated. A number that seems to lie ahead is of a row frozen long ago.
 */
export async function readUnprovenColumns(sql: Sql, oid: number, xid: number): Promise<string[]> {
	const rows = await sql<{ name: string }[]>`
		select a.attname as name from pg_attribute a cross join (select age(${String(xid)}::text::xid)) since(age)
		where a.attrelid = ${oid}::oid and a.attnum > 0 and (age(a.xmin) between 0 and since.age or exists (
			select from pg_constraint n where n.conrelid = a.attrelid and n.contype = 'n' and a.attnum = any(n.conkey)
				and (not n.convalidated or age(n.xmin) between 0 and since.age)))`
	return rows.map((row) => row.name)
}

/** Types by name; of one that is gone, `text`. */
export async function readTypeNames(sql: Sql, columns: { typeOid: number; typmod: number }[]): Promise<TypeName[]> {
	return await sql<TypeName[]>`
		select case when t.oid is null then 'text' else format_type(t.oid, c.typmod) end as name,
			coalesce(t.typtype, 'b')::text as kind
		from unnest(${arrayLiteral(columns.map((column) => column.typeOid))}::oid[],
			${arrayLiteral(columns.map((column) => column.typmod))}::int4[]) with ordinality c(type, typmod, place)
		left join pg_type t on t.oid = c.type order by c.place`
}

/** Every place for a column in a table, those of dropped columns too. */
export async function readSlots(sql: Sql, oid: number): Promise<Slot[]> {
	const rows = await sql<{ slot: Slot }[]>`
		select json_strip_nulls(json_build_object('attnum', a.attnum, 'isGenerated', a.attgenerated <> '',
			'column', case when not a.attisdropped then
				json_build_object('name', a.attname, 'typeOid', a.atttypid::int8, 'typmod', a.atttypmod) end)) as slot
		from pg_attribute a where a.attrelid = ${oid}::oid and a.attnum > 0 order by a.attnum`
	return rows.map((row) => row.slot)
}

async function readDropped(sql: Sql, oid: number): Promise<RelationFacts> {
	const [row] = await sql<{ rootOid: number }[]>`
		select root_oid::float8 as "rootOid" from reprieve.protected_tables where oid = ${oid}`
	const rootOid = Number(row?.rootOid ?? oid)
	const [root] = rootOid === oid ? [] : await describeTables(sql, [rootOid])
	return {
		rootOid,
		isPartition: rootOid !== oid,
		partitionColumns: [],
		hasPartitionExpression: true,
		referenced: [],
		root,
	}
}
