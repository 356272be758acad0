import { createHash } from 'node:crypto'
import type { Sql } from '@reprieve/postgres'

/** What a call that is refused may write, and what capture writes by itself. */
const bookkeeping = ['audit', 'idempotency', 'capture_state', 'lineages', 'barriers', 'canary', 'migrations']

/** A digest of every row of every table, user's and ours, and of every table's definition; a refusal leaves it as it was. */
export async function contentsOf(sql: Sql): Promise<Record<string, string>> {
	const tables = await sql<{ name: string; shape: string }[]>`
		select c.oid::regclass::text as name, json_build_object(
			'owner', c.relowner, 'identity', c.relreplident, 'security', c.relrowsecurity,
			'columns', (select json_agg(json_build_array(a.attname, a.atttypid, a.attnotnull) order by a.attnum)
				from pg_attribute a where a.attrelid = c.oid and a.attnum > 0),
			'triggers', (select json_agg(json_build_array(t.tgname, t.tgenabled) order by t.tgname)
				from pg_trigger t where t.tgrelid = c.oid and not t.tgisinternal),
			'publications', (select json_agg(p.pubname order by p.pubname)
				from pg_publication_rel r join pg_publication p on p.oid = r.prpubid where r.prrelid = c.oid))::text as shape
		from pg_class c join pg_namespace n on n.oid = c.relnamespace
		where c.relkind in ('r', 'p') and n.nspname !~ '^pg_|^information_schema$'
			and not (n.nspname = 'reprieve' and c.relname = any(${`{${bookkeeping.join(',')}}`}::text[]))
		order by 1`
	const digests: Record<string, string> = {}
	for (const { name, shape } of tables) {
		const rows = await sql.unsafe<{ row: string }[]>(`select t::text as row from ${name} t order by 1`)
		digests[name] = digest([shape, ...rows.map(({ row }) => row)])
	}
	return digests
}

function digest(lines: string[]): string {
	return createHash('sha256').update(lines.join('\n')).digest('hex').slice(0, 16)
}
