import type { Session } from '../session.ts'
import { arrayLiteral } from '../values/array.ts'

/** A rule that rewrites statements on a table. */
export type Rule = { oid: number; name: string; event: 'update' | 'delete' }

/** Rules on UPDATE and DELETE of the tables themselves, as far as they act in a session of ours. */
export async function readRules(sql: Session, oids: readonly number[]): Promise<Rule[]> {
	return await sql<Rule[]>`
		select ev_class::int8::float8 as oid, rulename as name, case ev_type when '2' then 'update' else 'delete' end as event
		from pg_rewrite where ev_class = any(${arrayLiteral(oids)}::oid[]) and ev_type in ('2', '4') and ev_enabled in ('O', 'A')
		order by ev_class, rulename`
}
