import type { Sql } from '@reprieve/postgres'

/** Names of a plan's rows tables in schema reprieve begin so, followed by `_<n>`. */
export function rowsPrefix(planId: string): string {
	return `plan_${planId.replaceAll('-', '')}`
}

/** Drops the rows tables of a plan, where there are any. */
export async function dropPlanRows(sql: Sql, planId: string): Promise<void> {
	const tables = await sql<{ name: string }[]>`
		select c.relname as name from pg_class c join pg_namespace n on n.oid = c.relnamespace
		where n.nspname = 'reprieve' and c.relkind = 'r' and c.relname ~ ${`^${rowsPrefix(planId)}_[0-9]+$`}`
	if (tables.length === 0) return
	await sql.unsafe(`drop table if exists ${tables.map(({ name }) => `reprieve.${name}`).join(', ')}`)
}
