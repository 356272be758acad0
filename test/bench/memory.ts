import { fileURLToPath } from 'node:url'
import { type Client, createClient } from '@reprieve/client'
import { launch } from '../e2e/launcher.ts'
import { until } from '../support/wait.ts'
import type { BenchOptions } from './child.ts'
import { adminKey, fillTable, makeTable, serviceFlags } from './ground.ts'
import { startKafkaGround } from './kafka/ground.ts'
import type { Way } from './load/ground.ts'
import { type Processes, type Usage, usageOfAll } from './processes.ts'
import { describeUsage, type Report } from './report.ts'
import { type SidecarGround, startSidecarGround, streaming } from './sidecars.ts'

const service = fileURLToPath(new URL('../../apps/service/src/main.ts', import.meta.url))

/** Each with processes of its own, so that no size inherits another's peak. */
const sizes = [10_000, 100_000, 1_000_000]

type Peaks = { rows: number; way: Way; used: Record<string, Usage> }

/**
 * Peak memory of service, capture and archive at 1e4, 1e5, 1e6 rows in one transaction, and at `rows` beyond; both ways. Without
 * Kafka they are restored too.
 */
export async function benchMemory({ rows = 0 }: BenchOptions): Promise<Report> {
	const peaks: Peaks[] = []
	for (const way of ['vault', 'kafka'] as const)
		for (const size of [...sizes, ...(rows > (sizes.at(-1) as number) ? [rows] : [])])
			peaks.push({ rows: size, way, used: await usedBy(way, size) })
	const lines = peaks.map(({ rows: count, way, used }) => ({
		what: `memory: ${count} rows in one transaction, ${way === 'kafka' ? 'through Kafka' : 'directly'}`,
		figure: Object.entries(used).map(describeUsage).join('; '),
		...{ ours: '', yardstick: '' },
	}))
	const text = lines.map(({ what, figure }) => `  ${what.replace('memory: ', '')}: ${figure}`)
	return { text: ['memory: peak of each process', ...text].join('\n'), data: { peaks }, rows: lines }
}

async function usedBy(way: Way, rows: number): Promise<Record<string, Usage>> {
	await using ground = way === 'vault' ? await startSidecarGround() : await startKafkaGround()
	const capture = ground.run('capture', ...(way === 'vault' ? [] : ['--sink', 'kafka']))
	const archive = way === 'vault' ? undefined : ground.run('archive')
	await streaming(ground)
	await using served = await serve(ground)
	const processes: Processes = {
		...{ service: served.pid, capture: capture.child.pid ?? 0 },
		...(archive && { archive: archive.child.pid ?? 0 }),
	}
	await makeTable(ground.sql, 'large')
	await served.client.tables.protect({ tables: ['large'], wait: 60 })
	await fillTable(ground.sql, 'large', rows)
	await ground.sql`delete from public.large`
	await served.client.archive.barrier({ timeoutMs: 600_000 })
	const used = usageOfAll(processes)
	if (way === 'kafka') return used
	await restoreAll(served.client, rows)
	const { service } = usageOfAll({ service: served.pid })
	return { ...used, ...(service && { 'service, when it has restored them': service }) }
}

async function restoreAll(client: Client, rows: number): Promise<void> {
	const newest = await client.archive.page({ table: 'large', key: { id: '1' }, limit: 1 })
	const selection = { transaction: newest.items[0]?.transaction ?? '' }
	const { hash } = await client.restores.preview({ selection })
	const { verified } = await (await client.restores.start({ selection, hash, reason: 'bench' })).finished()
	if (verified !== rows) throw new Error(`verified ${verified} of ${rows} rows`)
}

/** The service in a process of its own, beside the ground's. */
async function serve({ url, folder, vaultUrl }: SidecarGround) {
	const started = launch([...serviceFlags, service], {
		...{ DATABASE_URL: url, REPRIEVE_DATA: folder, REPRIEVE_VAULT: vaultUrl },
		...{ REPRIEVE_PORT: '0', REPRIEVE_ADMIN_KEY: adminKey },
	})
	const address = () => /"url":"(http:[^"]+)"/.exec(started.output())?.[1]
	await until(async () => address() !== undefined, 'the service to listen', 60_000)
	return {
		pid: started.child.pid ?? 0,
		client: createClient({ url: address() as string, apiKey: adminKey }),
		[Symbol.asyncDispose]: () => started[Symbol.asyncDispose](),
	}
}
