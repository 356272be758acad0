import { readdir, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { cpuUsage } from 'node:process'
import type { BenchOptions } from './child.ts'
import { median } from './contest.ts'
import { fillTable, makeTable } from './ground.ts'
import { type KafkaGround, startKafkaGround } from './kafka/ground.ts'
import { walPosition } from './log-position.ts'
import { planRows } from './planned.ts'
import { type Processes, usageOfAll } from './processes.ts'
import type { Report } from './report.ts'
import { streaming } from './sidecars.ts'

/** Seconds of one part, and CPU seconds of every process meanwhile. */
type Part = { seconds: number; cpu: Record<string, number> }
type Loop = { parts: Record<'plan' | 'run' | 'merge' | 'restore', Part>; bytes: Record<string, number> }

/** What deleting `rows` rows of about 200 bytes, archiving them through Kafka, merging and restoring them costs, part by part. */
export async function benchLoop({ rows = 100_000, rounds }: BenchOptions): Promise<Report> {
	await using ground = await startKafkaGround()
	const capture = ground.run('capture', '--sink', 'kafka')
	const archive = ground.run('archive')
	await streaming(ground)
	// Whoever holds the lease merges: here that is this process, when it is timed.
	await ground.vault.lease('upkeep', 'bench', 86_400_000)
	await makeTable(ground.sql, 'looped')
	await ground.client.tables.protect({ tables: ['looped'], wait: 60 })
	const pid = (started: typeof capture) => started.child.pid ?? 0
	const processes = { capture: pid(capture), archive: pid(archive), broker: ground.broker.pid, ...ground.processes }
	const loops: Loop[] = []
	for (let round = 0; round < rounds; round++) loops.push(await goRound(ground, processes, rows))
	return describe(rows, loops)
}

async function goRound(ground: KafkaGround, processes: Processes, rows: number): Promise<Loop> {
	const { sql, client, vault } = ground
	await sql`delete from public.looped`
	await fillTable(sql, 'looped', rows)
	await client.archive.barrier({ timeoutMs: 600_000 })
	let planId = ''
	let hash = ''
	let selection = { run: '' }
	const plan = await timed(processes, async () => {
		planId = await planRows(client, { kind: 'match', table: 'looped', where: { and: [] } }, rows)
	})
	const before = { wal: await walPosition(sql), kafka: await kafkaBytes(ground), vault: await vaultBytes(ground) }
	const run = await timed(processes, async () => {
		const done = await (await client.runs.start({ planId, reason: 'bench' })).finished()
		if (done.archived !== rows) throw new Error(`archived ${done.archived} of ${rows} rows`)
		selection = { run: done.id }
	})
	const after = { wal: await walPosition(sql), kafka: await kafkaBytes(ground), vault: await vaultBytes(ground) }
	const merge = await timed(processes, async () => {
		await vault.table({ schema: 'public', name: 'looped' }).compact()
	})
	const restore = await timed(processes, async () => {
		hash = (await client.restores.preview({ selection })).hash
		const { verified } = await (await client.restores.start({ selection, hash, reason: 'bench' })).finished()
		if (verified !== rows) throw new Error(`verified ${verified} of ${rows} rows`)
	})
	const bytes = {
		WAL: Number(after.wal - before.wal),
		Kafka: after.kafka - before.kafka,
		vault: after.vault - before.vault,
		'written by the merge': (await vaultBytes(ground)) - after.vault,
	}
	return { parts: { plan, run, merge, restore }, bytes }
}

/** This process is the service and, in the merge, the one that merges. */
async function timed(processes: Processes, work: () => Promise<void>): Promise<Part> {
	const [before, own, start] = [usageOfAll(processes), cpuUsage(), performance.now()]
	await work()
	const seconds = (performance.now() - start) / 1000
	const { user, system } = cpuUsage(own)
	const used = Object.entries(usageOfAll(processes, before)).map(([name, { cpuSeconds }]) => [name, cpuSeconds])
	return { seconds, cpu: { service: (user + system) / 1e6, ...Object.fromEntries(used) } }
}

/** Records of all topics but Kafka's own. */
async function kafkaBytes({ broker }: KafkaGround): Promise<number> {
	return await sizeOfFiles(broker.dataFolder, (path) => path.endsWith('.log') && !path.startsWith('__'))
}

async function vaultBytes({ folder }: KafkaGround): Promise<number> {
	return await sizeOfFiles(join(folder, 'vault'), (path) => path.includes('/looped/'))
}

async function sizeOfFiles(folder: string, counts: (path: string) => boolean): Promise<number> {
	const paths = (await readdir(folder, { recursive: true })).filter(counts)
	const found = await Promise.all(paths.map((path) => stat(join(folder, path)).catch(() => undefined)))
	return found.reduce((sum, one) => sum + (one?.isFile() ? one.size : 0), 0)
}

function describe(rows: number, loops: Loop[]): Report {
	const title = `loop: ${rows} rows of about 200 bytes, through Kafka, ${loops.length} times`
	const names = Object.keys((loops[0] as Loop).parts) as (keyof Loop['parts'])[]
	const parts = names.map((name) => {
		const cpu = Object.keys((loops[0] as Loop).parts[name].cpu).map(
			(process) => `${process} ${median(loops.map(({ parts }) => parts[name].cpu[process] ?? 0)).toFixed(2)}`,
		)
		const seconds = median(loops.map(({ parts }) => parts[name].seconds))
		return { what: `loop, ${rows} rows: ${name}`, figure: `${seconds.toFixed(2)} s`, ours: `CPU s: ${cpu.join(', ')}` }
	})
	const bytes = Object.keys((loops[0] as Loop).bytes).map((name) => {
		const all = median(loops.map((loop) => loop.bytes[name] ?? 0))
		return {
			what: `loop, ${rows} rows: bytes, ${name}`,
			figure: `${(all / rows).toFixed(0)} a row`,
			ours: `${Math.round(all)} B`,
		}
	})
	const lines = [...parts, ...bytes].map((line) => ({ ...line, yardstick: '' }))
	const text = lines.map(({ what, figure, ours }) => `  ${what.replace(/^.*?: /, '')}: ${figure}; ${ours}`)
	return { text: [title, ...text].join('\n'), data: { rows, loops }, rows: lines }
}
