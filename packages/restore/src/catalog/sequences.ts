import { arrayLiteral, type Session } from '@reprieve/postgres'

/** A sequence that feeds a column (identity or owned), or that the column's default calls. */
export type Sequence = { table: number; column: string; name: string; ascending: boolean }

/** Sequences behind the tables' columns. */
export async function readSequences(sql: Session, oids: number[]): Promise<Sequence[]> {
	return await sql<Sequence[]>`
		select distinct used.table::int8::float8 as table, a.attname as column,
			format('%I.%I', n.nspname, c.relname) as name, s.seqincrement > 0 as ascending
		from (
			select d.refobjid as table, d.refobjsubid as attnum, d.objid as sequence from pg_depend d
			where d.classid = 'pg_class'::regclass and d.refclassid = 'pg_class'::regclass and d.deptype in ('a', 'i')
			union
			select e.adrelid, e.adnum, d.refobjid from pg_attrdef e join pg_depend d
				on d.classid = 'pg_attrdef'::regclass and d.objid = e.oid and d.refclassid = 'pg_class'::regclass) used
		join pg_sequence s on s.seqrelid = used.sequence
		join pg_class c on c.oid = used.sequence join pg_namespace n on n.oid = c.relnamespace
		join pg_attribute a on a.attrelid = used.table and a.attnum = used.attnum
		where used.table = any(${arrayLiteral(oids)}::oid[]) and a.atttypid in (20, 21, 23)
		order by 1, 2, 3`
}
