import { randomBytes } from 'node:crypto'
import { tmpdir } from 'node:os'
import {
	type KafkaConfig,
	openKafka,
	parseConfig,
	type Sidecar,
	startFramesArchive,
	startKafkaCapture,
} from '@reprieve/sidecar'
import { compareWithCopy, copyTables, sampleTables } from '@reprieve/standalone/sample'
import postgres from 'postgres'
import { expect, test } from 'vitest'
import { hasKafka, sharedBroker } from '../support/kafka/shared.ts'
import { freshDatabase } from '../support/postgres.ts'
import { startReprieve, type TestReprieve, type Way, whenStreaming } from '../support/reprieve.ts'
import { bucketEnvironment } from '../support/s3/bucket.ts'
import { hasS3 } from '../support/s3/shared.ts'
import { fillShop } from '../support/sample.ts'

const ways = [
	{ by: 'in process, from a folder', env: async () => ({}), way: undefined },
	...(hasKafka && hasS3 ? [{ by: 'through Kafka, from a bucket', env: bucketEnvironment, way: throughKafka }] : []),
]

test.each(ways)(
	'a database that was emptied, by runs and by plain SQL, comes back identical $by',
	{
		timeout: 300_000,
	},
	async ({ env, way }) => {
		await using database = await freshDatabase()
		await fillShop(database)
		await using reprieve = await startReprieve(database, await env(), way)
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
	},
)

async function emptyByRun({ client }: TestReprieve, table: string): Promise<string> {
	const plan = await client.plans.create({ kind: 'match', table, where: { and: [] } })
	const run = await (await client.runs.start({ planId: plan.id, reason: 'empty it' })).finished()
	expect(run).toMatchObject({ status: 'succeeded', drifted: 0, deleted: plan.rows, archived: plan.rows })
	return run.id
}

/** Capture and two archivers of two partitions a table, on the run's broker. */
async function throughKafka(...[database, vault, log]: Parameters<Way>): Promise<Sidecar[]> {
	const { brokers } = await sharedBroker()
	const kafka: KafkaConfig = {
		...{ brokers, tls: null, sasl: null, prefix: database.name, group: `${database.name}.archive`, partitions: 2 },
		...{ retentionMs: 86_400_000, acknowledge: 'vault', frameKey: randomBytes(32) },
	}
	const sidecar = parseConfig({ databaseUrl: database.url })
	const parts = { vault, log, openKafka: () => openKafka(kafka, log) }
	const capture = await whenStreaming((onState) =>
		startKafkaCapture({ sidecar, kafka, spoolFolder: tmpdir() }, { ...parts, onState }),
	)
	const archive = () => startFramesArchive({ sidecar, kafka }, parts)
	return [capture, archive(), archive()]
}
