import { migrateControl } from '@reprieve/control'
import { findTable, planProtection, protectTable, publicationNames, type Sql } from '@reprieve/postgres'
import { freshDatabase, type TestDatabase } from '../support/postgres.ts'

/** A database with the control schema and nobody who captures. */
export async function migratedDatabase(cluster: { url: string }): Promise<TestDatabase> {
	const database = await freshDatabase(cluster)
	await migrateControl(database.url)
	return database
}

/** OID of a table in public. */
export async function oidOf(sql: Sql, name: string, schema = 'public'): Promise<number> {
	const table = await findTable(sql, { schema, name })
	if (!table) throw new Error(`no table ${name}`)
	return table.oid
}

/** Protects by name and answers the refusing codes; an empty list means protected. */
export async function protect(
	sql: Sql,
	name: string,
	options: Parameters<typeof protectTable>[2] = {},
): Promise<string[]> {
	const { refusals } = await protectTable(sql, await oidOf(sql, name), options)
	return refusals.map((finding) => finding.code)
}

/** Codes that a dry run gives. */
export async function refusals(sql: Sql, name: string): Promise<string[]> {
	return (await planProtection(sql, [await oidOf(sql, name)])).asked
		.flatMap(({ refusals }) => refusals)
		.map((finding) => finding.code)
}

/** A slot of our name, and control rows as a capture that streams would keep them. */
export async function pretendCapture(sql: Sql): Promise<void> {
	const [row] = await sql<{ slot: string }[]>`
		select 'reprieve_' || oid as slot from pg_database where datname = current_database()`
	// Not from within a scan: PostgreSQL 18 then loses track of the scan's buffer when slots are made at the same time.
	await sql`select pg_create_logical_replication_slot(${row?.slot ?? ''}, 'pgoutput')`
	await sql`insert into reprieve.capture_state (id, lineage, state, heartbeat_at) values (1, 'l', 'streaming', now())
		on conflict (id) do update set state = 'streaming', heartbeat_at = now()`
}

/** Everything that protecting may change about user tables, as comparable text. */
export async function tableState(sql: Sql): Promise<string[]> {
	const rows = await sql<{ line: string }[]>`
		select c.oid::regclass::text || ' ' || c.relreplident::text || ' ' || coalesce((
				select x.relname::text from pg_index i join pg_class x on x.oid = i.indexrelid
				where i.indrelid = c.oid and i.indisreplident), '-')
			|| ' triggers:' || coalesce((select string_agg(t.tgname || t.tgenabled::text, ',' order by t.tgname) from pg_trigger t
				where t.tgrelid = c.oid and not t.tgisinternal), '')
			|| ' publications:' || coalesce((select string_agg(p.pubname, ',' order by p.pubname) from pg_publication_rel r
				join pg_publication p on p.oid = r.prpubid where r.prrelid = c.oid), '') as line
		from pg_class c where c.relnamespace = 'public'::regnamespace and c.relkind in ('r', 'p') order by c.relname`
	return rows.map((row) => row.line)
}

/** Number of pgoutput messages per kind letter that our slot holds, consuming them. */
export async function streamedKinds(sql: Sql): Promise<Record<string, number>> {
	const rows = await sql<{ kind: string; n: number }[]>`
		select chr(get_byte(data, 0)) as kind, count(*)::int as n
		from pg_database d cross join lateral pg_logical_slot_get_binary_changes('reprieve_' || d.oid, null, null,
			'proto_version', '1', 'publication_names', ${publicationNames.join(',')}, 'messages', 'true')
		where d.datname = current_database() group by 1`
	return Object.fromEntries(rows.map((row) => [row.kind, row.n]))
}
