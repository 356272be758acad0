import { formatTableName } from '@reprieve/contracts'
import type { Sql } from '@reprieve/postgres'
import { expect, test } from 'vitest'
import { freshDatabase } from '../support/postgres.ts'
import { startReprieve, type TestReprieve } from '../support/reprieve.ts'
import { emptyAtOnce, tablesWithRows } from './generated/empty.ts'
import { generateSchema } from './generated/generate.ts'
import { differencesFrom, keepAll } from './generated/kept.ts'
import type { Schema } from './generated/schema.ts'
import { auditTable, createStatements } from './generated/statements.ts'

const seeds = process.env.FIDELITY_SEED ? process.env.FIDELITY_SEED.split(',').map(Number) : [1]

const replay = (seed: number) =>
	`replay: FIDELITY_SEED=${seed} pnpm exec vitest run --project real test/fidelity/generated.test.ts`

test.each(seeds)('the database of seed %i comes back whole', { timeout: 300_000 }, async (seed) => {
	const times: Record<string, number> = {}
	async function timed<T>(name: string, work: Promise<T>): Promise<T> {
		const began = performance.now()
		return await work.finally(() => {
			times[name] = Math.round(performance.now() - began)
		})
	}
	try {
		const schema = generateSchema(seed)
		await using database = await freshDatabase()
		const { sql } = database
		await timed('create', create(sql, schema))
		const kept = await timed('keep', keepAll(sql, schema))
		if (process.env.LOGSQL) await sql.unsafe(`alter database ${database.name} set log_min_duration_statement = 0`)
		if (process.env.LOGSQL) console.log(await sql`show data_directory`)
		await using reprieve = await timed('start', startReprieve(database))
		await timed('protect', protectAll(reprieve, schema))

		await timed('empty', emptyAtOnce(sql, schema))
		expect(await tablesWithRows(sql, schema)).toEqual([])
		await timed('restore', restoreTransaction(reprieve, schema))
		expect(await timed('compare', differencesFrom(sql, schema, kept)), replay(seed)).toEqual([])
	} finally {
		console.log(seed, JSON.stringify(times))
	}
})

async function create(sql: Sql, schema: Schema): Promise<void> {
	const statements = createStatements(schema)
	for (let from = 0; from < statements.length; from += 100) {
		await sql.unsafe(statements.slice(from, from + 100).join(';'))
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

async function restoreTransaction({ client }: TestReprieve, schema: Schema): Promise<void> {
	await client.archive.barrier({ timeoutMs: 60_000 })
	const [change] = (await client.archive.page({ table: formatTableName(auditTable), limit: 1 })).items
	const selection = { transaction: change?.transaction ?? '' }
	let t=performance.now(); const lap=(n: string)=>{console.log(n, Math.round(performance.now()-t)); t=performance.now()}
	const preview = await client.restores.preview({ selection })
	lap('preview')
	expect(preview).toMatchObject({ complete: true, parents: [] })
	const restore = await client.restores.start({ selection, hash: preview.hash, reason: `seed ${schema.seed}` })
	lap('start')
	const fin = await restore.finished()
	lap('run')
	expect(fin).toMatchObject({ status: 'succeeded', conflicts: 0, skipped: 0 })
}
