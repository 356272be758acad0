import { formatTableName, quoteTable, type TableName } from '@reprieve/contracts'
import type { Sql, Transaction } from '@reprieve/postgres'
import { expect } from 'vitest'
import type { TestReprieve } from '../../support/reprieve.ts'
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

/**
 * Deletes every row by plans that match all of a table and take along what holds it, in the order of the seed. A table
 * that a constraint keeps is tried again when others are empty, and at last deleted by hand. Answers a time before all.
 */
export async function emptyByPlans({ client }: TestReprieve, sql: Sql, schema: Schema): Promise<string> {
	const [began] = await sql<{ at: string }[]>`
		select to_char(clock_timestamp(), 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') as at`
	await emptyByPlan(client, auditTable)
	const order = seededRandom(schema.seed + 2_000).shuffle(schema.tables)
	for (let before = Number.POSITIVE_INFINITY; ; ) {
		const full = new Set((await tablesWithRows(sql, schema)).map(quoteTable))
		if (full.size === 0 || full.size >= before) break
		before = full.size
		for (const table of order) {
			const [row] = full.has(quoteTable(table)) ? await sql.unsafe(`select from ${ownRows(table)} limit 1`) : []
			if (row) await emptyByPlan(client, table)
		}
	}
	const left = await tablesWithRows(sql, schema)
	if (left.length > 0) await sql.unsafe(inOneStatement(left))
	return began?.at ?? ''
}

async function emptyByPlan(client: TestReprieve['client'], table: TableName): Promise<void> {
	const policy = { kind: 'match', table: formatTableName(table), where: { and: [] }, onRestrict: 'include' } as const
	const plan = await client.plans.create(policy).catch(refusedWithReason)
	if (!plan) return
	const run = await (await client.runs.start({ planId: plan.id, reason: 'empty it' })).finished()
	expect(run).toMatchObject({ status: 'succeeded', drifted: 0 })
}

/** A row would be set to null and to a default at once: the schema's doing, and no plan was made. */
function refusedWithReason(error: { code?: string; message: string }): undefined {
	expect(`${error.code}: ${error.message}`).toMatch(
		/^CONFLICT: rows of .* would be set to null by .* and to a default by .*$/,
	)
}

/** Tables that still have rows. */
export async function tablesWithRows(sql: Sql, schema: Schema): Promise<Table[]> {
	const queries = schema.tables.map(
		(table, number) => `select ${number} as number where exists (select from ${ownRows(table)})`,
	)
	const rows = await sql.unsafe<{ number: number }[]>(queries.join(' union all '))
	return rows.map((row) => schema.tables[row.number] as Table)
}
