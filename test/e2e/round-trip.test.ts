import { compareWithCopy, copyTables, sampleTables } from '@reprieve/standalone/sample'
import postgres from 'postgres'
import { expect, test } from 'vitest'
import { freshDatabase } from '../support/postgres.ts'
import { startReprieve, type TestReprieve } from '../support/reprieve.ts'
import { fillShop } from '../support/sample.ts'

test('a database that was emptied, by runs and by plain SQL, comes back identical', { timeout: 300_000 }, async () => {
	await using database = await freshDatabase()
	await fillShop(database)
	await using reprieve = await startReprieve(database)
	const { client } = reprieve
	const sql = postgres(database.url, { max: 1, onnotice: () => {} })
	try {
		await copyTables(sql, sampleTables)
		const { tables } = await client.tables.protect({ tables: [...sampleTables], wait: 60 })
		expect(tables.filter(({ restorability }) => restorability.status !== 'ready')).toEqual([])

		const runs = [await emptyByRun(reprieve, 'sessions'), await emptyByRun(reprieve, 'curiosities')]
		await sql.begin(async (tx) => {
			for (const table of ['employees', 'products', 'categories', 'customers']) await tx`delete from ${tx(table)}`
		})
		for (const table of sampleTables) expect(await sql`select from ${sql(table)} limit 1`).toHaveLength(0)

		await client.archive.barrier({ timeoutMs: 60_000 })
		const transaction = (await client.archive.page({ table: 'products', limit: 1 })).items[0]?.transaction ?? ''
		for (const selection of [{ transaction }, ...runs.map((run) => ({ run }))]) {
			const preview = await client.restores.preview({ selection })
			expect(preview).toMatchObject({ complete: true, parents: [] })
			const restore = await client.restores.start({ selection, hash: preview.hash, reason: 'all of it back' })
			expect(await restore.finished()).toMatchObject({ status: 'succeeded', conflicts: 0, skipped: 0 })
		}
		for (const table of sampleTables) {
			expect(await compareWithCopy(sql, table)).toMatchObject({ changed: 0, missing: 0, added: 0 })
		}
	} finally {
		await sql.end({ timeout: 5 })
	}
})

async function emptyByRun({ client }: TestReprieve, table: string): Promise<string> {
	const plan = await client.plans.create({ kind: 'match', table, where: { and: [] } })
	const run = await (await client.runs.start({ planId: plan.id, reason: 'empty it' })).finished()
	expect(run).toMatchObject({ status: 'succeeded', drifted: 0, deleted: plan.rows, archived: plan.rows })
	return run.id
}
