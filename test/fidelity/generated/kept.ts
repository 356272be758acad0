import { quoteIdentifier, quoteTable } from '@reprieve/contracts'
import type { Sql } from '@reprieve/postgres'
import type { Schema, Table } from './schema.ts'
import { auditTable } from './statements.ts'

/** What the database was before anything was deleted, besides the copies of its rows in schema "kept". */
export type Kept = { texts: string[]; sequences: Map<string, bigint>; shape: string; audit: bigint }

/** Keeps a copy of every table's own rows, and what else must be as it was. */
export async function keepAll(sql: Sql, schema: Schema): Promise<Kept> {
	const copies = schema.tables.map(
		(table, number) => `create table kept.${copyName(number)} as select * from ${ownRows(table)}`,
	)
	await sql.unsafe(['create schema kept', ...copies].join(';'))
	return {
		texts: await tableTexts(sql, schema),
		sequences: await readSequences(sql),
		shape: await readShape(sql),
		audit: await auditRows(sql),
	}
}

/** Every way in which the database differs from what was kept; empty when it is the same. */
export async function differencesFrom(sql: Sql, schema: Schema, kept: Kept): Promise<string[]> {
	const found = await differingRows(sql, schema)
	const texts = await tableTexts(sql, schema)
	for (const [number, table] of schema.tables.entries()) {
		if (texts[number] !== kept.texts[number]) found.push(`${quoteTable(table)}: another text`)
	}
	for (const [name, value] of await readSequences(sql)) {
		const before = kept.sequences.get(name) ?? 0n
		if (value < before) found.push(`sequence ${name}: ${value}, it was ${before}`)
	}
	if ((await auditRows(sql)) !== kept.audit) found.push('the restore fired audit triggers, or lost rows of theirs')
	if ((await readShape(sql)) !== kept.shape) found.push('constraints, indexes or triggers are others')
	return [...found, ...(await brokenForeignKeys(sql, schema))]
}

/** Rows of the audit table that were there before, and those that inserting rows wrote. */
async function auditRows(sql: Sql): Promise<bigint> {
	const [row] = await sql.unsafe<{ rows: string }[]>(
		`select count(*)::text as rows from ${quoteTable(auditTable)} where op in ('INSERT', 'before')`,
	)
	return BigInt(row?.rows ?? -1)
}

/** A table's rows without those of its heirs. */
export function ownRows(table: Table): string {
	return `${table.partitions ? '' : 'only '}${quoteTable(table)}`
}

function copyName(number: number): string {
	return quoteIdentifier(`copy ${number}`)
}

/** Rows that are missing, added or of another image, by key. */
async function differingRows(sql: Sql, schema: Schema): Promise<string[]> {
	const queries = schema.tables.map((table, number) => {
		const join = table.key.map((column) => `a.${quoteIdentifier(column)} = b.${quoteIdentifier(column)}`).join(' and ')
		return `(select ${number} as number, left(a::text, 200) as was, left(b::text, 200) as now
			from kept.${copyName(number)} a full join ${table.partitions ? quoteTable(table) : `(select * from ${ownRows(table)})`} b on ${join}
			where not record_image_eq(row(a.*), row(b.*)) limit 3)`
	})
	const found: string[] = []
	for (let from = 0; from < queries.length; from += 40) {
		const rows = await sql.unsafe<{ number: number; was: string | null; now: string | null }[]>(
			queries.slice(from, from + 40).join(' union all '),
		)
		for (const row of rows) {
			found.push(`${quoteTable(schema.tables[row.number] as Table)}: was ${row.was}, is ${row.now}`)
		}
	}
	return found
}

/** A digest of each table's rows as their text, in the order of its key. */
async function tableTexts(sql: Sql, schema: Schema): Promise<string[]> {
	const digests: string[] = []
	for (const table of schema.tables) {
		const order = table.key.map((column) => `t.${quoteIdentifier(column)}`).join(', ')
		const [row] = await sql.unsafe<{ digest: string }[]>(`
			select md5(coalesce(string_agg(t::text, E'\\n' order by ${order}), '')) as digest
			from ${ownRows(table)} t`)
		digests.push(row?.digest ?? '')
	}
	return digests
}

async function readSequences(sql: Sql): Promise<Map<string, bigint>> {
	const rows = await sql<{ name: string; value: string }[]>`
		select schemaname || '.' || sequencename as name, coalesce(last_value, 0)::text as value from pg_sequences
		where schemaname <> 'reprieve'`
	return new Map(rows.map((row) => [row.name, BigInt(row.value)]))
}

/** Constraints, indexes and triggers of the generated tables, reprieve's guards left out. */
async function readShape(sql: Sql): Promise<string> {
	const rows = await sql<{ fact: string }[]>`
		select fact from (
			select n.nspname, format('constraint %s %s %s %s', c.conrelid, c.conname, c.convalidated, pg_get_constraintdef(c.oid)) as fact
			from pg_constraint c join pg_namespace n on n.oid = c.connamespace
			union all select n.nspname, format('index %s', pg_get_indexdef(i.indexrelid)) from pg_index i
			join pg_class c on c.oid = i.indrelid join pg_namespace n on n.oid = c.relnamespace
			union all select n.nspname, format('trigger %s %s', pg_get_triggerdef(t.oid), t.tgenabled) from pg_trigger t
			join pg_class c on c.oid = t.tgrelid join pg_namespace n on n.oid = c.relnamespace
			where t.tgname not like 'reprieve%' and not t.tgisinternal) facts
		where nspname !~ '^(pg_|information_schema|reprieve|kept)' order by fact`
	return rows.map((row) => row.fact).join('\n')
}

/** Rows that reference nothing, and rows that a MATCH FULL key forbids. */
async function brokenForeignKeys(sql: Sql, schema: Schema): Promise<string[]> {
	const queries = schema.foreignKeys.map((key, number) => {
		const [child, parent] = [schema.tables[key.child] as Table, schema.tables[key.parent] as Table]
		const columns = key.columns.map((column) => `c.${quoteIdentifier(column)}`)
		const pairs = key.references.map((column, place) => `p.${quoteIdentifier(column)} = ${columns[place]}`)
		const partly =
			key.match === 'full' ? `num_nulls(${columns.join(', ')}) between 1 and ${columns.length - 1} or ` : ''
		return `(select ${number} as number from ${ownRows(child)} c where ${partly}num_nulls(${columns.join(', ')}) = 0
			and not exists (select from ${ownRows(parent)} p where ${pairs.join(' and ')}) limit 1)`
	})
	return await sql.begin(async (tx) => {
		const found: string[] = []
		// What PostgreSQL knows of the tables may be from when they were empty.
		await tx`set local enable_nestloop = off`
		for (let from = 0; from < queries.length; from += 100) {
			const rows = await tx.unsafe<{ number: number }[]>(queries.slice(from, from + 100).join(' union all '))
			found.push(...rows.map((row) => `${schema.foreignKeys[row.number]?.name}: a row without its parent`))
		}
		return found
	})
}
