import type { ForeignKey, ForeignKeyAction, SourceColumn, SourceTable, TableName } from '@reprieve/contracts'
import type { Session } from '../session.ts'
import { arrayLiteral } from '../values/array.ts'

type TableRow = {
	oid: number
	schema: string
	name: string
	kind: 'r' | 'p'
	columns: SourceColumn[]
	key: string[] | null
	foreignKeys:
		| (Omit<ForeignKey, 'onDelete' | 'onDeleteColumns'> & { action: string; setColumns: string[] | null })[]
		| null
}

/** pg_constraint.confdeltype in our words. */
export const foreignKeyActions: Readonly<Record<string, ForeignKeyAction>> = {
	a: 'noAction',
	r: 'restrict',
	c: 'cascade',
	n: 'setNull',
	d: 'setDefault',
}

/** Ordinary tables and partition roots or leaves by OID, as the session's snapshot sees them; others are left out. */
export async function describeTables(sql: Session, oids: number[]): Promise<SourceTable[]> {
	if (oids.length === 0) return []
	const rows = await sql<{ described: TableRow }[]>`
		select pg_catalog.json_build_object(
			'oid', c.oid::int8, 'schema', n.nspname, 'name', c.relname, 'kind', c.relkind,
			'columns', (
				select coalesce(json_agg(json_build_object(
					'attnum', a.attnum, 'name', a.attname, 'typeOid', a.atttypid::int8, 'typmod', a.atttypmod,
					'typeName', format_type(a.atttypid, a.atttypmod), 'typeKind', t.typtype, 'notNull', a.attnotnull,
					'generated', a.attgenerated, 'identity', a.attidentity,
					'default', case when a.attgenerated = '' then pg_get_expr(d.adbin, d.adrelid) end) order by a.attnum), '[]')
				from pg_attribute a join pg_type t on t.oid = a.atttypid
				left join pg_attrdef d on d.adrelid = a.attrelid and d.adnum = a.attnum
				where a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped),
			'key', (
				select json_agg(a.attname order by k.place)
				from (select i.indexrelid, i.indkey from pg_index i
					where i.indrelid = c.oid and i.indisunique and i.indisvalid and i.indimmediate and i.indpred is null and i.indexprs is null
						and not exists (select from unnest(i.indkey::int2[]) with ordinality u(attnum, place)
							join pg_attribute x on x.attrelid = c.oid and x.attnum = u.attnum
							where u.place <= i.indnkeyatts and not x.attnotnull)
					order by i.indisprimary desc, i.indnkeyatts, i.indexrelid limit 1) chosen
				join pg_index i on i.indexrelid = chosen.indexrelid
				cross join unnest(i.indkey::int2[]) with ordinality k(attnum, place)
				join pg_attribute a on a.attrelid = c.oid and a.attnum = k.attnum
				where k.place <= i.indnkeyatts),
			'foreignKeys', (
				select json_agg(json_build_object(
					'name', f.conname, 'oid', f.oid::int8, 'action', f.confdeltype, 'deferrable', f.condeferrable,
					'validated', f.convalidated,
					'columns', (select json_agg(a.attname order by k.place) from unnest(f.conkey) with ordinality k(attnum, place)
						join pg_attribute a on a.attrelid = f.conrelid and a.attnum = k.attnum),
					'setColumns', (select json_agg(a.attname order by k.place) from unnest(f.confdelsetcols) with ordinality k(attnum, place)
						join pg_attribute a on a.attrelid = f.conrelid and a.attnum = k.attnum),
					'references', json_build_object('oid', f.confrelid::int8, 'schema', pn.nspname, 'name', p.relname,
						'columns', (select json_agg(a.attname order by k.place) from unnest(f.confkey) with ordinality k(attnum, place)
							join pg_attribute a on a.attrelid = f.confrelid and a.attnum = k.attnum))) order by f.conname)
				from pg_constraint f join pg_class p on p.oid = f.confrelid join pg_namespace pn on pn.oid = p.relnamespace
				where f.conrelid = c.oid and f.contype = 'f'
					and (f.conparentid = 0 or not exists (select from pg_constraint up where up.oid = f.conparentid and up.conrelid = c.oid))))
			as described
		from pg_class c join pg_namespace n on n.oid = c.relnamespace
		where c.oid = any(${arrayLiteral(oids)}::oid[]) and c.relkind in ('r', 'p')
		order by c.oid`
	return rows.map((row) => toSourceTable(row.described))
}

/** One table by OID; undefined when there is none of a kind that holds rows. */
export async function describeTable(sql: Session, oid: number): Promise<SourceTable | undefined> {
	return (await describeTables(sql, [oid]))[0]
}

/** OID of a table by its catalog name, whatever its kind; undefined when there is none. */
export async function findTable(sql: Session, table: TableName): Promise<{ oid: number; kind: string } | undefined> {
	return (await findTables(sql, [table]))[0]
}

/** {@link findTable} of several, in their order. */
export async function findTables(
	sql: Session,
	tables: TableName[],
): Promise<({ oid: number; kind: string } | undefined)[]> {
	const rows = await sql<{ place: number; oid: number; kind: string }[]>`
		select t.place::int4 as place, c.oid::int8::float8 as oid, c.relkind as kind
		from unnest(${arrayLiteral(tables.map((table) => table.schema))}::text[],
			${arrayLiteral(tables.map((table) => table.name))}::text[]) with ordinality t(schema, name, place)
		join pg_namespace n on n.nspname = t.schema join pg_class c on c.relnamespace = n.oid and c.relname = t.name`
	const found = new Map(rows.map(({ place, oid, kind }) => [place, { oid: Number(oid), kind }]))
	return tables.map((_, index) => found.get(index + 1))
}

function toSourceTable(row: TableRow): SourceTable {
	return {
		...row,
		columns: row.columns.map((column) => (column.default === null ? { ...column, default: undefined } : column)),
		key: row.key ?? [],
		foreignKeys: (row.foreignKeys ?? []).map(({ action, setColumns, ...key }) => ({
			...key,
			onDelete: foreignKeyActions[action] ?? 'noAction',
			onDeleteColumns: setColumns ?? key.columns,
		})),
	}
}

/** A column by what stays (table and number) and by its name. */
export type NumberedColumn = { oid: number; attnum: number; name: string }

/** Every column of the tables, by number. */
export async function readColumnNumbers(sql: Session, oids: number[]): Promise<NumberedColumn[]> {
	const rows = await sql<NumberedColumn[]>`
		select a.attrelid::int8::float8 as oid, a.attnum, a.attname as name from pg_attribute a
		where a.attrelid = any(${arrayLiteral(oids)}::oid[]) and a.attnum > 0 and not a.attisdropped order by 1, 2`
	return rows.map(({ oid, attnum, name }) => ({ oid: Number(oid), attnum, name }))
}

/**
 * Names that mean something else by now: of tables (quoted, by OID) that another table bears or none, and of columns
 * that another column of the table bears. Empty when each means what it did.
 */
export async function readChangedNames(
	sql: Session,
	named: { tables: { oid: number; name: string }[]; columns: NumberedColumn[] },
): Promise<string[]> {
	const rows = await sql<{ name: string }[]>`
		select t.name from json_to_recordset(${JSON.stringify(named.tables)}::text::json) t(oid int8, name text)
		where to_regclass(t.name)::oid::int8 is distinct from t.oid
		union all
		select format('%s.%I', a.attrelid::regclass, a.attname)
		from json_to_recordset(${JSON.stringify(named.columns)}::text::json) c(oid int8, attnum int2, name name)
		join pg_attribute a on a.attrelid = c.oid::oid and a.attname = c.name and a.attnum <> c.attnum`
	return rows.map((row) => row.name)
}
