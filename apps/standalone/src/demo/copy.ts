import { quoteIdentifier } from '@reprieve/contracts'
import type { Sql } from 'postgres'

const schema = 'before'

/** Copies tables as they are now, to compare with later. */
export async function copyTables(sql: Sql, tables: readonly string[]): Promise<void> {
	await sql.unsafe(`drop schema if exists ${schema} cascade; create schema ${schema}`).simple()
	for (const table of tables) {
		await sql.unsafe(`create table ${schema}.${quoteIdentifier(table)} as table ${quoteIdentifier(table)}`)
	}
}

/** How a table differs from its copy, row by row, by PostgreSQL's comparison of row images. */
export type Difference = {
	table: string
	rows: number
	identical: number
	changed: number
	missing: number
	added: number
}

/** Compares every row of a table with its copy. */
export async function compareWithCopy(sql: Sql, table: string): Promise<Difference> {
	const name = quoteIdentifier(table)
	const key = await keyOf(sql, table)
	const on = key.map((column) => `now.${column} = old.${column}`).join(' and ')
	const first = key[0]
	const [row] = await sql.unsafe<Omit<Difference, 'table'>[]>(`
		select count(*) filter (where old.${first} is not null)::int as rows,
			count(*) filter (where old.${first} is not null and now.${first} is not null and old *= now)::int as identical,
			count(*) filter (where old.${first} is not null and now.${first} is not null and not old *= now)::int as changed,
			count(*) filter (where now.${first} is null)::int as missing,
			count(*) filter (where old.${first} is null)::int as added
		from ${schema}.${name} old full join public.${name} now on ${on}`)
	if (!row) throw new Error(`${table} was not compared`)
	return { table, ...row }
}

async function keyOf(sql: Sql, table: string): Promise<string[]> {
	const rows = await sql<{ column: string }[]>`
		select quote_ident(a.attname) as column from pg_index i
		join pg_attribute a on a.attrelid = i.indrelid and a.attnum = any (i.indkey)
		where i.indrelid = ${table}::regclass and i.indisprimary order by array_position(i.indkey::int2[], a.attnum)`
	return rows.map((row) => row.column)
}
