import type { TableName, WireType } from '@reprieve/contracts'
import type { Session } from '../session.ts'

/** A column and its type as Debezium sees it. */
export type WireColumn = {
	column: string
	/** format_type of the column. */
	type: string
	typeOid: number
	typmod: number
	wire: WireType
}

/** SQL that gathers the {@link WireColumn}s of the table `c`, generated ones left out, in attnum order. */
export function wireColumns(sql: Session) {
	return sql`
		select coalesce(json_agg(json_build_object(
			'column', a.attname, 'type', format_type(a.atttypid, a.atttypmod), 'typeOid', a.atttypid::int8,
			'typmod', a.atttypmod, 'wire', json_build_object(
				'oid', t.oid::int8, 'typmod', base.typmod, 'kind', t.typtype, 'name', t.typname,
				'isArray', t.typelem <> 0 and t.typcategory = 'A',
				'extension', (
					select e.extname from pg_depend d join pg_extension e on e.oid = d.refobjid
					where d.classid = 'pg_type'::regclass and d.objid = t.oid and d.refclassid = 'pg_extension'::regclass
						and d.deptype = 'e'))) order by a.attnum), '[]')
		from pg_attribute a cross join lateral (
			with recursive chain(oid, typmod, depth) as (
				select a.atttypid, a.atttypmod, 0
				union all
				select d.typbasetype, d.typtypmod, chain.depth + 1 from chain join pg_type d on d.oid = chain.oid
				where d.typtype = 'd')
			select chain.oid, chain.typmod from chain order by chain.depth desc limit 1) base
		join pg_type t on t.oid = base.oid
		where a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped and a.attgenerated = ''`
}

/** A table as a source of Debezium events names it. */
export type WireTable = {
	oid: number
	schema: string
	name: string
	/** The partition root, itself when it is none. */
	root: TableName
	identity: string
	columns: WireColumn[]
	/** Names of generated columns. */
	generated: string[]
}

/** Finds a table by the name that it has, or had when it was protected; undefined when it was dropped. */
export async function readWireTable(
	sql: Session,
	name: { schema: string; name: string },
): Promise<WireTable | undefined> {
	const [row] = await sql<{ table: WireTable }[]>`
		select json_build_object('oid', c.oid::int8, 'schema', n.nspname, 'name', c.relname, 'identity', c.relreplident,
			'columns', (${wireColumns(sql)}),
			'generated', (
				select coalesce(json_agg(a.attname), '[]') from pg_attribute a
				where a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped and a.attgenerated <> ''),
			'root', (
				select json_build_object('schema', s.nspname, 'name', r.relname)
				from pg_class r join pg_namespace s on s.oid = r.relnamespace
				where r.oid = coalesce(pg_partition_root(c.oid)::oid, c.oid))) as table
		from pg_class c join pg_namespace n on n.oid = c.relnamespace
		where c.relkind = 'r' and ((n.nspname = ${name.schema} and c.relname = ${name.name}) or c.oid = (
			select p.oid from reprieve.protected_tables p where p.schema = ${name.schema} and p.name = ${name.name}))
		order by (n.nspname = ${name.schema} and c.relname = ${name.name}) desc limit 1`
	return row?.table
}
