import { parseArgs } from 'node:util'
import { type BenchOptions, inChild } from './child.ts'
import type { Outcome } from './contest.ts'
import type { Way } from './load/ground.ts'
import { type Report, reportOf } from './report.ts'

type Bench = (options: BenchOptions) => Promise<Report>

/** Loaded by the process that runs it, which then needs nothing of the others. */
const contest =
	(load: () => Promise<(rows: number, rounds: number) => Promise<Outcome>>): Bench =>
	async ({ rows = 100_000, rounds }) =>
		reportOf(await (await load())(rows, rounds))

const benches: Record<string, Bench> = {
	deletes: contest(async () => (await import('./deletes.ts')).benchDeletes),
	capture: contest(async () => (await import('./capture.ts')).benchCapture),
	durable: contest(async () => (await import('./durable.ts')).benchDurable),
	restore: contest(async () => (await import('./restore.ts')).benchRestore),
	'kafka-produce': contest(async () => (await import('./kafka/frames.ts')).benchProduce),
	'kafka-consume': contest(async () => (await import('./kafka/frames.ts')).benchConsume),
	'kafka-durable': contest(async () => (await import('./kafka/durable.ts')).benchKafkaDurable),
	'kafka-debezium': contest(async () => (await import('./kafka/debezium.ts')).benchDefaults),
	'kafka-debezium-tuned': contest(async () => (await import('./kafka/debezium.ts')).benchTuned),
	memory: async (options) => (await import('./memory.ts')).benchMemory(options),
	'kafka-latency': async ({ rounds }) => (await import('./kafka/latency.ts')).benchKafkaLatency(rounds * 40),
	'lookup-scattered': async (options) => (await import('./lookups.ts')).benchLookups(options, 'scattered'),
	'lookup-rising': async (options) => (await import('./lookups.ts')).benchLookups(options, 'rising'),
	...loads('load', 'vault'),
	...loads('load-kafka', 'kafka'),
}

function loads(prefix: string, way: Way): Record<string, Bench> {
	const load = () => import('./load/loads.ts')
	return {
		[`${prefix}-steady`]: async (options) => (await load()).loadSteady(options, way),
		[`${prefix}-tables`]: async (options) => (await load()).loadTables(options, way),
		[`${prefix}-protected`]: async (options) => (await load()).loadProtected(options, way),
		[`${prefix}-transaction`]: async (options) => (await load()).loadTransaction(options, way),
		[`${prefix}-tiny`]: async (options) => (await load()).loadTiny(options, way),
	}
}

/** `pnpm bench [--rows 100000] [--seconds 60] [--rounds 5] [--json] [name ...]`: each in a process of its own; without names, all but the loads. */
async function main(): Promise<void> {
	const { values, positionals } = parseArgs({
		allowPositionals: true,
		options: {
			rows: { type: 'string' },
			seconds: { type: 'string' },
			rounds: { type: 'string' },
			json: { type: 'boolean' },
			child: { type: 'boolean' },
		},
	})
	const options = {
		...(values.rows && { rows: Number(values.rows) }),
		...(values.seconds && { seconds: Number(values.seconds) }),
		rounds: Number(values.rounds ?? 5),
	}
	const names = positionals.length > 0 ? positionals : Object.keys(benches).filter((name) => !name.startsWith('load'))
	const unknown = names.find((name) => !(name in benches))
	if (unknown) throw new Error(`no benchmark ${unknown}; there are ${Object.keys(benches).join(', ')}`)
	if (values.child) {
		process.send?.(await benches[names[0] as string]?.(options))
		process.disconnect()
		return
	}
	const reports: Report[] = []
	for (const name of names) {
		const report = await inChild<Report>(import.meta.filename, name, options)
		reports.push(report)
		if (!values.json) console.log(report.text)
	}
	const data = reports.map((report) => report.data)
	if (values.json) console.log(JSON.stringify(data, null, 2))
}

await main()
