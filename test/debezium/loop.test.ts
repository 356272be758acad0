import { createClient } from '@reprieve/client'
import { readConfig, startService } from '@reprieve/service'
import { pino } from 'pino'
import { expect, test } from 'vitest'
import { startCluster3 } from '../support/kafka/broker.ts'
import { startConnect } from '../support/kafka/connect.ts'
import { hasKafka } from '../support/kafka/shared.ts'
import { bucketEnvironment } from '../support/s3/bucket.ts'
import { hasS3 } from '../support/s3/shared.ts'
import { until } from '../support/wait.ts'
import { debeziumGround } from './ground.ts'

const adminKey = 'the-admin-key-of-a-test-0123456789'
const image = `select md5(string_agg(t::text, '' order by id)) as digest, count(*)::int as rows from public.`

test.runIf(hasKafka)(
	'a run through Debezium is archived, sealed, found and restored equal; a table that loses values stays closed',
	{ timeout: 90_000 },
	async () => {
		await using cluster = await startCluster3()
		await using worker = await startConnect(cluster)
		const vaultAt = hasS3 ? (await bucketEnvironment()).REPRIEVE_VAULT : undefined
		await using ground = await debeziumGround({ brokers: cluster.brokers, url: worker.url }, vaultAt)
		const { sql } = ground
		await sql`create table public.customer (id bigint primary key, email text, balance numeric, at timestamptz)`
		await sql`
			create table public.purchase (id bigint primary key, paid float8, note jsonb,
				customer bigint references public.customer on delete cascade)`
		await sql`create table public.visit (id int primary key, customer bigint references public.customer on delete set null)`
		await sql`create table public.lossy (id int primary key, items text[], lasts interval)`
		await sql`
			insert into public.customer select g, 'c' || g || '@example.org', g * 1.10, '2026-01-01'::timestamptz - g * interval '1 day'
			from generate_series(1, 200) g`
		await sql`insert into public.purchase select g, g / 3.0, '{"a": 1.10}', (g % 200) + 1 from generate_series(1, 1000) g`
		await sql`insert into public.visit select g, (g % 200) + 1 from generate_series(1, 300) g`
		await using _archive = await archiving(ground)
		await ground.connect({
			'topic.creation.default.replication.factor': '3',
			'topic.creation.default.min.insync.replicas': '2',
		})
		const config = readConfig({
			...{ DATABASE_URL: ground.url, REPRIEVE_DATA: ground.data, REPRIEVE_PORT: '0', REPRIEVE_ADMIN_KEY: adminKey },
			REPRIEVE_RATE_LIMIT: '1000000',
		})
		const service = await startService(config, { vault: ground.vault, log: pino({ level: 'silent' }) })
		try {
			const client = createClient({ url: service.url, apiKey: adminKey })
			const before = [await digest('customer'), await digest('purchase'), await digest('visit')]
			const closed = await client.tables.protect({ tables: ['lossy'], wait: 0 })
			expect(closed.tables[0]?.restorability.status).toBe('closed')
			expect(closed.tables[0]?.restorability.findings.filter((one) => one.code === 'debeziumType')).toHaveLength(2)

			const { tables } = await client.tables.protect({ tables: ['customer'], wait: 60 })
			expect(tables[0]?.restorability).toEqual({ status: 'ready', findings: [] })
			const run = await client.cleanup.stale({ table: 'customer', column: 'at', olderThan: 'P90D' })
			const states = await Array.fromAsync(run.progress())
			expect(states.at(-1)).toMatchObject({ status: 'succeeded' })
			expect((await digest('customer')).rows).toBe(0)
			const { items } = await client.archive.page({ run: run.id, table: 'customer', limit: 1000 })
			expect(items).toHaveLength(200)

			const preview = await client.restores.preview({ selection: { run: run.id } })
			const restore = await client.restores.start({ selection: { run: run.id }, hash: preview.hash, reason: 'undo' })
			await until(async () => (await client.restores.get(restore.id)).status === 'succeeded', 'the restore', 40_000)
			expect([await digest('customer'), await digest('purchase'), await digest('visit')]).toEqual(before)
			expect((await client.system.status()).incidents).toEqual([])
		} finally {
			await service.stop()
		}

		async function digest(table: string): Promise<{ digest: string; rows: number }> {
			const [row] = await sql.unsafe<{ digest: string; rows: number }[]>(`${image}${table} t`)
			return row ?? { digest: '', rows: 0 }
		}
	},
)

async function archiving(ground: Awaited<ReturnType<typeof debeziumGround>>): Promise<AsyncDisposable> {
	const sidecar = await ground.start({
		acknowledge: 'broker',
		connectUrl: ground.connectUrl,
		sidecar: { protectMs: 200 },
	})
	return { [Symbol.asyncDispose]: () => sidecar.stop() }
}
