import { arrayLiteral, type Session } from '@reprieve/postgres'

/** What a foreign key's own check needs beyond its columns. */
export type Reference = {
	/** OID of the constraint. */
	oid: number
	name: string
	child: number
	parent: number
	/** The parent's quoted name, `ONLY` where its check says so. */
	parentSql: string
	parentName: { schema: string; name: string }
	columns: string[]
	references: string[]
	/** parent OPERATOR child, per column. */
	operators: string[]
	full: boolean
	/** Temporal foreign keys (PERIOD) compare ranges: left to the server's own check. */
	period: boolean
}

/** Enforced foreign keys of the tables, as their own checks compare. */
export async function readReferences(sql: Session, oids: number[]): Promise<Reference[]> {
	const rows = await sql<{ reference: Reference }[]>`
		select json_build_object(
			'oid', f.oid::int8, 'name', f.conname, 'child', f.conrelid::int8, 'parent', f.confrelid::int8,
			'parentSql', format('%s%I.%I', case when p.relkind = 'p' then '' else 'only ' end, n.nspname, p.relname),
			'parentName', json_build_object('schema', n.nspname, 'name', p.relname),
			'columns', (select json_agg(a.attname order by k.place) from unnest(f.conkey) with ordinality k(attnum, place)
				join pg_attribute a on a.attrelid = f.conrelid and a.attnum = k.attnum),
			'references', (select json_agg(a.attname order by k.place) from unnest(f.confkey) with ordinality k(attnum, place)
				join pg_attribute a on a.attrelid = f.confrelid and a.attnum = k.attnum),
			'operators', (select json_agg(format('OPERATOR(%I.%s)', s.nspname, o.oprname) order by k.place)
				from unnest(f.conpfeqop) with ordinality k(operator, place)
				join pg_operator o on o.oid = k.operator join pg_namespace s on s.oid = o.oprnamespace),
			'full', f.confmatchtype = 'f',
			'period', coalesce((to_jsonb(f) ->> 'conperiod')::bool, false)) as reference
		from pg_constraint f join pg_class p on p.oid = f.confrelid join pg_namespace n on n.oid = p.relnamespace
		where f.conrelid = any(${arrayLiteral(oids)}::oid[]) and f.contype = 'f'
			and coalesce((to_jsonb(f) ->> 'conenforced')::bool, true)
			and (f.conparentid = 0 or not exists (
				select from pg_constraint up where up.oid = f.conparentid and up.conrelid = f.conrelid))
		order by f.conrelid, f.conname`
	return rows.map((row) => row.reference)
}
