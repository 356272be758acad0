import { debeziumPublication, quoteIdentifier, quoteTable, type TableName } from '@reprieve/contracts'
import type { Sql, Transaction } from '../session.ts'
import {
	debeziumShape,
	ensurePublicationsWithin,
	protectionLock,
	publicationStatement,
	readShapes,
	recordRepair,
	serverVersion,
} from './publications.ts'

/**
 * Makes the one publication that Debezium's connector follows, puts its shape right, and adds every protected table
 * and the canary to it, in one transaction. Tables that it lacked must be proved again, and the gap is recorded.
 * Idempotent; needs the owner of the tables.
 */
export async function ensureDebeziumPublication(sql: Sql): Promise<void> {
	await sql.begin(async (tx) => {
		await tx`select pg_advisory_xact_lock(${protectionLock})`
		await ensurePublicationsWithin(tx)
		const state = (await readShapes(tx)).get(debeziumPublication)
		const version = await serverVersion(tx)
		if (state !== 'right') await tx.unsafe(publicationStatement(debeziumShape, version, state === undefined))
		const missing = await readMissing(tx)
		for (const table of missing) {
			await tx.unsafe(`alter publication ${quoteIdentifier(debeziumPublication)} add table only ${quoteTable(table)}`)
		}
		const isWeaker = state === 'wrong' || missing.some((table) => table.schema !== 'reprieve')
		if (isWeaker) await recordRepair(tx, [debeziumPublication])
	})
}

/** Leaves and ordinary tables that are protected, and the canary, unless the publication has them. */
async function readMissing(tx: Transaction): Promise<TableName[]> {
	return await tx<TableName[]>`
		select n.nspname as schema, c.relname as name from pg_class c join pg_namespace n on n.oid = c.relnamespace
		where c.relkind = 'r' and (c.oid = 'reprieve.canary'::regclass
				or exists (select from reprieve.protected_tables p where p.oid = c.oid))
			and not exists (select from pg_publication_rel r join pg_publication b on b.oid = r.prpubid
				where r.prrelid = c.oid and b.pubname = ${debeziumPublication})`
}
