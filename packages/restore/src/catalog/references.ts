import { arrayLiteral, type Session } from '@reprieve/postgres'

/** What a foreign key's own check needs beyond its columns. */
export type Reference = {
	/** OID of the constraint. */
	oid: number
	name: string
	/** OID of the referencing table's root. */
	child: number
	/** SQL over bare column names: rows of the root that belong to the partition that declares the key; of the root: none. */
	childCondition: string | null
	/** OID of the referenced table's root, and its name. */
	parent: number
	parentName: { schema: string; name: string }
	/** Quoted name of the table that is referenced (it may be a partition), `ONLY` where its check says so. */
	parentSql: string
	columns: string[]
	references: string[]
	/** OIDs of the types of the referenced columns. */
	referenceTypes: number[]
	/** parent OPERATOR child, per column. */
	operators: string[]
	/** SQL behind the child's column, per column: what the operator takes, under the parent's collation. */
	casts: string[]
	full: boolean
	/** Temporal foreign keys (PERIOD) compare ranges: left to the server's own check. */
	period: boolean
	/** This session may lock the referenced rows, as the foreign key's own check does with its owner's rights. */
	lockable: boolean
}

/**
 * Enforced foreign keys of the tables and of their partitions alone, as their own checks compare. Looked up table by table:
 * a join would read every constraint of the database.
 */
export async function readReferences(sql: Session, oids: number[]): Promise<Reference[]> {
	const rows = await sql<{ reference: Reference }[]>`
		with recursive tree(root, oid) as (
			select r.oid, r.oid from unnest(${arrayLiteral(oids)}::oid[]) r(oid)
			union all select tree.root, i.inhrelid from tree join pg_inherits i on i.inhparent = tree.oid
			join pg_class c on c.oid = i.inhrelid and c.relispartition)
		select json_build_object(
			'oid', f.oid::int8, 'name', f.conname, 'child', tree.root::int8, 'parent', r.oid::int8,
			'childCondition', case when tree.oid <> tree.root then pg_get_partition_constraintdef(tree.oid) end,
			'parentSql', format('%s%I.%I', case when p.relkind = 'p' then '' else 'only ' end, n.nspname, p.relname),
			'parentName', json_build_object('schema', rn.nspname, 'name', r.relname),
			'columns', (select json_agg(a.attname order by k.place) from unnest(f.conkey) with ordinality k(attnum, place)
				join pg_attribute a on a.attrelid = f.conrelid and a.attnum = k.attnum),
			'references', (select json_agg(a.attname order by k.place) from unnest(f.confkey) with ordinality k(attnum, place)
				join pg_attribute a on a.attrelid = f.confrelid and a.attnum = k.attnum),
			'referenceTypes', (select json_agg(a.atttypid::int8 order by k.place) from unnest(f.confkey) with ordinality k(attnum, place)
				join pg_attribute a on a.attrelid = f.confrelid and a.attnum = k.attnum),
			'operators', (select json_agg(format('OPERATOR(%I.%s)', s.nspname, o.oprname) order by k.place)
				from unnest(f.conpfeqop) with ordinality k(operator, place)
				join pg_operator o on o.oid = k.operator join pg_namespace s on s.oid = o.oprnamespace),
			'casts', (select json_agg(case when t.typtype = 'p' then '' else format('::%I.%I', ts.nspname, t.typname) end
					|| coalesce((select format(' collate %I.%I', cs.nspname, c.collname)
						from pg_collation c join pg_namespace cs on cs.oid = c.collnamespace where c.oid = a.attcollation), '') order by k.place)
				from unnest(f.conpfeqop, f.confkey) with ordinality k(operator, attnum, place)
				join pg_operator o on o.oid = k.operator join pg_type t on t.oid = o.oprright join pg_namespace ts on ts.oid = t.typnamespace
				join pg_attribute a on a.attrelid = f.confrelid and a.attnum = k.attnum),
			'full', f.confmatchtype = 'f',
			'period', coalesce((to_jsonb(f) ->> 'conperiod')::bool, false),
			'lockable', has_schema_privilege(n.oid, 'usage') and has_table_privilege(p.oid, 'select')
				and has_any_column_privilege(p.oid, 'update') and not row_security_active(p.oid)) as reference
		from tree cross join lateral (
			select * from pg_constraint k where k.conrelid = tree.oid and k.contype = 'f' offset 0) f
		join pg_class p on p.oid = f.confrelid join pg_namespace n on n.oid = p.relnamespace
		join pg_class r on r.oid = coalesce(pg_partition_root(p.oid), p.oid) join pg_namespace rn on rn.oid = r.relnamespace
		where coalesce((to_jsonb(f) ->> 'conenforced')::bool, true) and not exists (
			select from pg_constraint up join tree above on above.oid = up.conrelid and above.root = tree.root
			where up.oid = f.conparentid)
		order by tree.root, f.conname, f.oid`
	return rows.map((row) => row.reference)
}

/** SQL of a stage's rows that a foreign key speaks of. */
export function referencing(stage: string, { childCondition }: Pick<Reference, 'childCondition'>): string {
	return childCondition === null ? stage : `(select * from ${stage} r where ${childCondition})`
}
