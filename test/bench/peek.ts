import type { Sql } from '@reprieve/postgres'

const slot = 'bench_peek'

/** As a reader would type it. */
export const peekCommand = 'select count(*) from pg_logical_slot_peek_binary_changes(...)'

/** Makes the slot whose changes are peeked at: before they are made. */
export async function openPeek(sql: Sql): Promise<void> {
	await sql`select pg_create_logical_replication_slot(${slot}, 'pgoutput')`
}

export async function dropPeek(sql: Sql): Promise<void> {
	await sql`select pg_drop_replication_slot(${slot})`
}

/** The server alone decodes what came since, and counts it. */
export async function peek(sql: Sql): Promise<void> {
	await sql`select count(*) from pg_logical_slot_peek_binary_changes(${slot}, null, null,
		'proto_version', '1', 'publication_names', 'reprieve', 'messages', 'true')`
	await dropPeek(sql)
}
