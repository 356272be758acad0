import { quoteTable } from '@reprieve/contracts'
import type { Sql, Transaction } from '@reprieve/postgres'
import { ownRows } from './kept.ts'
import { seededRandom } from './random.ts'
import type { Schema, Table } from './schema.ts'
import { auditTable } from './statements.ts'

/**
 * Deletes every row in one transaction, as the seed says: all tables in one statement, or table after table in some
 * order, each in a savepoint that is rolled back where a foreign key holds, until nothing more goes; then the rest in
 * one statement. The audit table goes first, so that what the other deletes write there stays.
 */
export async function emptyAtOnce(sql: Sql, schema: Schema): Promise<void> {
	const random = seededRandom(schema.seed + 1_000)
	await sql.begin(async (tx) => {
		await tx.unsafe(`delete from ${quoteTable(auditTable)}`)
		if (random.chance(60)) await tx`set constraints all deferred`
		const left = random.chance(25) ? schema.tables : await deleteWhatGoes(tx, random.shuffle(schema.tables))
		if (left.length > 0) await tx.unsafe(inOneStatement(left))
		await tx`set constraints all immediate`
	})
}

/** Tables that could not be emptied one by one. */
async function deleteWhatGoes(tx: Transaction, tables: Table[]): Promise<Table[]> {
	const kept: Table[] = []
	for (const table of tables) {
		const isGone = await tx
			.savepoint((inner) => inner.unsafe(`delete from ${ownRows(table)}`))
			.then(() => true)
			.catch((error: { code?: string }) => {
				if (!/^(23|42830)/.test(error.code ?? '')) throw error
				return false
			})
		if (!isGone) kept.push(table)
	}
	return kept.length === tables.length ? kept : await deleteWhatGoes(tx, kept)
}

function inOneStatement(tables: Table[]): string {
	const parts = tables.map((table, number) => `d${number} as (delete from ${ownRows(table)})`)
	return `with ${parts.join(', ')} select`
}

/** Tables that still have rows. */
export async function tablesWithRows(sql: Sql, schema: Schema): Promise<Table[]> {
	const queries = schema.tables.map(
		(table, number) => `select ${number} as number where exists (select from ${ownRows(table)})`,
	)
	const rows = await sql.unsafe<{ number: number }[]>(queries.join(' union all '))
	return rows.map((row) => schema.tables[row.number] as Table)
}
