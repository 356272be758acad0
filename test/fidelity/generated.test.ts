import { formatTableName, type Selection } from '@reprieve/contracts'
import type { Sql } from '@reprieve/postgres'
import { expect, test } from 'vitest'
import { freshDatabase, type PostgresVersion, startCluster } from '../support/postgres.ts'
import { startReprieve, type TestReprieve } from '../support/reprieve.ts'
import { emptyAtOnce, emptyByPlans, tablesWithRows } from './generated/empty.ts'
import { generateSchema } from './generated/generate.ts'
import { differencesFrom, keepAll } from './generated/kept.ts'
import type { Schema } from './generated/schema.ts'
import { auditTable, createStatements } from './generated/statements.ts'

/** All 50 take longer than CI has: `FIDELITY_SEED=all`, or some of them: `FIDELITY_SEED=17,18`. */
const inCi = '1,3,5,12,14'
const asked = process.env.FIDELITY_SEED ?? inCi
const seeds = asked === 'all' ? Array.from({ length: 50 }, (_, index) => index + 1) : asked.split(',').map(Number)

/** On 18, unless `FIDELITY_POSTGRES` says 15, 16 or 17. */
const version = process.env.FIDELITY_POSTGRES

const replay = (seed: number) =>
	`replay: FIDELITY_SEED=${seed} ${version ? `FIDELITY_POSTGRES=${version} ` : ''}pnpm exec vitest run --project real test/fidelity/generated.test.ts`

test.each(seeds)('the database of seed %i comes back whole', { timeout: 900_000 }, async (seed) => {
	process.stdout.write(`${replay(seed)}\n`)
	async function timed<T>(name: string, work: Promise<T>): Promise<T> {
		const began = performance.now()
		return await work.finally(() => {
			process.stdout.write(`seed ${seed}: ${name} took ${Math.round(performance.now() - began)} ms\n`)
		})
	}
	const schema = generateSchema(seed)
	await using cluster = version ? await startCluster(Number(version) as PostgresVersion) : undefined
	await using database = await freshDatabase(cluster)
	const { sql } = database
	await timed('create', create(sql, schema))
	const kept = await timed('keep', keepAll(sql, schema))
	await using reprieve = await timed('start', startReprieve(database))
	await timed('protect', protectAll(reprieve, schema))

	await timed('empty', emptyAtOnce(sql, schema))
	expect(await tablesWithRows(sql, schema)).toEqual([])
	await timed('restore', restoreAll(reprieve, await newestTransaction(reprieve)))
	expect(await timed('compare', differencesFrom(sql, schema, kept))).toEqual([])

	const from = await timed('plans', emptyByPlans(reprieve, sql, schema))
	expect(await tablesWithRows(sql, schema)).toEqual([])
	await timed('restoreAgain', restoreAll(reprieve, { from }))
	expect(await timed('compareAgain', differencesFrom(sql, schema, kept))).toEqual([])
})

async function create(sql: Sql, schema: Schema): Promise<void> {
	const statements = createStatements(schema)
	for (let from = 0; from < statements.length; from += 10) {
		await sql.unsafe(statements.slice(from, from + 10).join(';'))
	}
}

async function protectAll({ client }: TestReprieve, schema: Schema): Promise<void> {
	const { tables } = await client.tables.protect({
		tables: [...schema.tables, auditTable].map(formatTableName),
		acknowledge: schema.tables.flatMap(({ triggers, ...table }) =>
			triggers
				.filter((trigger) => trigger.kind === 'audit')
				.map((trigger) => `userTrigger:${table.schema}.${table.name}.${trigger.name}`),
		),
		wait: 60,
	})
	expect(tables.filter(({ restorability }) => restorability.status !== 'ready')).toEqual([])
}

/** The one transaction that has deleted so far. */
async function newestTransaction({ client }: TestReprieve): Promise<{ transaction: string }> {
	await client.archive.barrier({ timeoutMs: 60_000 })
	const [change] = (await client.archive.page({ table: formatTableName(auditTable), limit: 1 })).items
	return { transaction: change?.transaction ?? '' }
}

/** Brings everything of a selection, in all tables, back in one restore. */
async function restoreAll({ client }: TestReprieve, selection: Selection): Promise<void> {
	await client.archive.barrier({ timeoutMs: 60_000 })
	const preview = await client.restores.preview({ selection })
	expect(preview).toMatchObject({ complete: true, parents: [] })
	const restore = await client.restores.start({ selection, hash: preview.hash, reason: 'all of it back' })
	expect(await restore.finished()).toMatchObject({ status: 'succeeded', conflicts: 0, skipped: 0 })
}
