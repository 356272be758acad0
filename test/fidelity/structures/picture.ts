import { text } from 'node:stream/consumers'
import { quoteIdentifier, quoteTable } from '@reprieve/contracts'
import type { Sql } from '@reprieve/postgres'

export type Table = { name: string; kind: 'r' | 'p' }

/** What triggers write into: neither protected nor emptied. */
const journal = 'journal'

/** Tables of a schema that hold rows of their own, partitions left to their root, journals left out; the oldest first. */
export async function listTables(sql: Sql, schema: string): Promise<Table[]> {
	return await sql<Table[]>`
		select c.relname as name, c.relkind as kind from pg_class c
		where c.relnamespace = ${schema}::regnamespace and c.relkind in ('r', 'p') and not c.relispartition
			and c.relname <> ${journal} order by c.oid`
}

/** The rows that a table itself holds, each with its leaf. */
function rowsOf(schema: string, { name, kind }: Table): string {
	return `select t.tableoid::regclass::text as "~leaf", t.* from ${kind === 'r' ? 'only ' : ''}${quoteTable({ schema, name })} t`
}

const keptName = (schema: string, table: Table) => `kept.${quoteIdentifier(`${schema}.${table.name}`)}`

/** Keeps a copy of every row of a schema, by which restored ones are judged. */
export async function keepRows(sql: Sql, schema: string): Promise<void> {
	for (const table of await listTables(sql, schema)) {
		const name = keptName(schema, table)
		await sql.unsafe(`drop table if exists ${name}; create table ${name} as ${rowsOf(schema, table)}`)
	}
}

/** Rows in which tables and copies differ, as PostgreSQL compares images; empty when they are the same. */
export async function differences(sql: Sql, schema: string): Promise<unknown[]> {
	const found: unknown[] = []
	for (const table of await listTables(sql, schema)) {
		const numbered = (rows: string) =>
			`select row_number() over (order by r::text collate "C") as n, r from (${rows}) r`
		const different = await sql.unsafe(
			`select a.r::text as was, b.r::text as now from (${numbered(`select * from ${keptName(schema, table)}`)}) a
			full join (${numbered(rowsOf(schema, table))}) b using (n)
			where a.r is null or b.r is null or not record_image_eq(a.r, b.r) limit 5`,
		)
		found.push(...different.map((row) => ({ table: table.name, ...row })))
	}
	return found
}

/** What a schema holds as text: the rows as COPY writes them, and every definition with its state. */
export async function pictureOf(sql: Sql, schema: string): Promise<Record<string, string>> {
	const picture: Record<string, string> = {}
	for (const table of await listTables(sql, schema)) {
		const rows = `select * from (${rowsOf(schema, table)}) r order by r::text collate "C"`
		picture[table.name] = await text(await sql.unsafe(`copy (${rows}) to stdout`).readable())
	}
	const definitions = await sql.unsafe<{ definition: string }[]>(definitionsQuery, [schema])
	return { ...picture, ' definitions': definitions.map((row) => row.definition).join('\n') }
}

const definitionsQuery = `
	with own as (select oid, relname from pg_class where relnamespace = $1::regnamespace)
	select format('%s %s kind %s persistence %s identity %s security %s %s', relname,
			case when relkind in ('r', 'p') then oid end, relkind, relpersistence,
		relreplident, relrowsecurity, relforcerowsecurity) as definition from pg_class where relnamespace = $1::regnamespace
	union all select format('%s.%s %s %s %s', relname, attname, attnum, format_type(atttypid, atttypmod), attnotnull)
		from pg_attribute a join own on own.oid = attrelid where attnum > 0 and not attisdropped
	union all select format('%s trigger %s %s', relname, tgname, tgenabled) from pg_trigger join own on own.oid = tgrelid
	union all select format('%s rule %s %s', relname, rulename, ev_enabled) from pg_rewrite join own on own.oid = ev_class
	union all select format('%s constraint %s %s %s', relname, conname, convalidated, pg_get_constraintdef(k.oid))
		from pg_constraint k join own on own.oid = conrelid
	order by 1`

/** How far the sequences of a schema have come. */
export async function readSequenceValues(sql: Sql, schema: string): Promise<Map<string, bigint>> {
	const rows = await sql<{ name: string; value: string | null }[]>`
		select sequencename as name, last_value::text as value from pg_sequences where schemaname = ${schema}`
	return new Map(rows.map((row) => [row.name, BigInt(row.value ?? 0)]))
}

class Undone extends Error {}

/** Adds a second one of every validated constraint, so that PostgreSQL itself checks every row, and takes it back. */
export async function validateConstraints(sql: Sql, schema: string): Promise<void> {
	const constraints = await sql<{ table: string; definition: string }[]>`
		select k.conrelid::regclass::text as table, pg_get_constraintdef(k.oid) as definition from pg_constraint k
		where k.connamespace = ${schema}::regnamespace and k.contype in ('c', 'f') and k.convalidated and k.conparentid = 0
			and k.coninhcount = 0`
	const validating = sql.begin(async (tx) => {
		for (const { table, definition } of constraints) await tx.unsafe(`alter table ${table} add ${definition}`)
		throw new Undone()
	})
	await validating.catch((error: unknown) => {
		if (!(error instanceof Undone)) throw error
	})
}
