import { fork } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { benchCapture } from './capture.ts'
import type { Outcome } from './contest.ts'
import { benchDeletes } from './deletes.ts'
import { benchDurable } from './durable.ts'
import { benchDebezium } from './kafka/debezium.ts'
import { benchKafkaDurable } from './kafka/durable.ts'
import { benchConsume, benchProduce } from './kafka/frames.ts'
import { benchKafkaLatency } from './kafka/latency.ts'
import { type Report, reportOf } from './report.ts'
import { benchRestore } from './restore.ts'

type Bench = (rows: number, rounds: number) => Promise<Report>

const contest =
	(hold: (rows: number, rounds: number) => Promise<Outcome>): Bench =>
	async (rows, rounds) =>
		reportOf(await hold(rows, rounds))

const benches: Record<string, Bench> = {
	deletes: contest(benchDeletes),
	capture: contest(benchCapture),
	durable: contest(benchDurable),
	restore: contest(benchRestore),
	'kafka-produce': contest(benchProduce),
	'kafka-consume': contest(benchConsume),
	'kafka-durable': contest(benchKafkaDurable),
	'kafka-debezium': contest((rows, rounds) => benchDebezium(rows, rounds, false)),
	'kafka-debezium-tuned': contest((rows, rounds) => benchDebezium(rows, rounds, true)),
	'kafka-latency': (_, rounds) => benchKafkaLatency(rounds * 40),
}

/** `pnpm bench [--rows 100000] [--rounds 5] [--json] [name ...]`: each in a process of its own. */
async function main(): Promise<void> {
	const { values, positionals } = parseArgs({
		allowPositionals: true,
		options: {
			rows: { type: 'string' },
			rounds: { type: 'string' },
			json: { type: 'boolean' },
			child: { type: 'boolean' },
		},
	})
	const rows = Number(values.rows ?? 100_000)
	const rounds = Number(values.rounds ?? 5)
	const names = positionals.length > 0 ? positionals : Object.keys(benches)
	const unknown = names.find((name) => !(name in benches))
	if (unknown) throw new Error(`no benchmark ${unknown}; there are ${Object.keys(benches).join(', ')}`)
	if (values.child) {
		process.send?.(await benches[names[0] as string]?.(rows, rounds))
		process.disconnect()
		return
	}
	const reports: Report[] = []
	for (const name of names) {
		const report = await inChild(name, rows, rounds)
		reports.push(report)
		if (!values.json) console.log(report.text)
	}
	if (values.json)
		console.log(
			JSON.stringify(
				reports.map(({ data }) => data),
				null,
				2,
			),
		)
}

async function inChild(name: string, rows: number, rounds: number): Promise<Report> {
	const child = fork(fileURLToPath(import.meta.url), ['--child', '--rows', `${rows}`, '--rounds', `${rounds}`, name])
	const answer = Promise.withResolvers<Report>()
	child.on('message', (report) => answer.resolve(report as Report))
	const [code] = await once(child, 'exit')
	if (code !== 0) throw new Error(`${name} ended with ${code}`)
	return await answer.promise
}

await main()
