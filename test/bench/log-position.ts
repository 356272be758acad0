import type { Sql } from '@reprieve/postgres'

/** Bytes of log that the server has written since ever. */
export async function walPosition(sql: Sql): Promise<bigint> {
	const [row] = await sql<{ at: string }[]>`select (pg_current_wal_insert_lsn() - '0/0')::text as at`
	return BigInt(row?.at ?? 0)
}
