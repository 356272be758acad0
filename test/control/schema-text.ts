import type { Sql } from '@reprieve/postgres'

/** The control schema as text: tables with columns, constraints and indexes, in a fixed order. */
export async function schemaText(sql: Sql): Promise<string> {
	const tables = await sql<{ name: string; columns: string; constraints: string | null; indexes: string | null }[]>`
		select c.relname as name,
			(select string_agg(format('    %I %s%s%s%s', a.attname, format_type(a.atttypid, a.atttypmod),
				case a.attstorage when 'e' then ' storage external' else '' end,
				case when a.attnotnull then ' not null' else '' end,
				coalesce(' default ' || pg_get_expr(d.adbin, d.adrelid), '')), E',\n' order by a.attname)
			from pg_attribute a left join pg_attrdef d on d.adrelid = a.attrelid and d.adnum = a.attnum
			where a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped) as columns,
			(select string_agg(format('    constraint %I %s', k.conname, pg_get_constraintdef(k.oid)), E',\n' order by k.conname)
			from pg_constraint k where k.conrelid = c.oid and k.contype <> 'n') as constraints,
			(select string_agg(pg_get_indexdef(i.indexrelid) || ';', E'\n' order by i.indexrelid::regclass::text)
			from pg_index i where i.indrelid = c.oid and not i.indisprimary and not exists (
				select from pg_constraint k where k.conindid = i.indexrelid)) as indexes
		from pg_class c join pg_namespace n on n.oid = c.relnamespace
		where n.nspname = 'reprieve' and c.relkind = 'r' order by c.relname`
	return tables.map(tableText).join('\n')
}

function tableText(table: {
	name: string
	columns: string
	constraints: string | null
	indexes: string | null
}): string {
	const body = table.constraints ? `${table.columns},\n${table.constraints}` : table.columns
	return `create table reprieve.${table.name} (\n${body}\n);\n${table.indexes ? `${table.indexes}\n` : ''}`
}
