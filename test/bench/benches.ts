import type { BenchOptions } from './child.ts'
import type { Outcome } from './contest.ts'
import type { Way } from './load/ground.ts'
import { type Report, reportOf } from './report.ts'

/** One benchmark, loaded by the process that runs it, which then needs nothing of the others. */
type Bench = (options: BenchOptions) => Promise<Report>

const contest =
	(load: () => Promise<(rows: number, rounds: number) => Promise<Outcome>>): Bench =>
	async ({ rows = 100_000, rounds }) =>
		reportOf(await (await load())(rows, rounds))

export const benches: Record<string, Bench> = {
	deletes: contest(async () => (await import('./deletes.ts')).benchDeletes),
	'plan-duplicates': contest(async () => (await import('./plans.ts')).benchDuplicates),
	'plan-stale': contest(async () => (await import('./plans.ts')).benchStale),
	'capture-backlog': contest(async () => (await import('./capture/contests.ts')).benchBacklog),
	'capture-streaming': contest(async () => (await import('./capture/contests.ts')).benchStreaming),
	durable: contest(async () => (await import('./durable.ts')).benchDurable),
	encode: contest(async () => (await import('./segments.ts')).benchEncode),
	compact: contest(async () => (await import('./segments.ts')).benchCompact),
	restore: contest(async () => (await import('./restore.ts')).benchRestore),
	'api-read': async ({ seconds = 5, rounds }) =>
		reportOf(await (await import('./api/read.ts')).benchRead(seconds, rounds, 'same')),
	'api-read-each': async ({ seconds = 5, rounds }) =>
		reportOf(await (await import('./api/read.ts')).benchRead(seconds, rounds, 'each')),
	'restore-conflicts': contest(async () => (await import('./restore.ts')).benchConflicts),
	beside: async (options) => reportOf(await (await import('./beside.ts')).benchBeside(options)),
	loop: async (options) => (await import('./loop.ts')).benchLoop(options),
	memory: async (options) => (await import('./memory.ts')).benchMemory(options),
	latency: async ({ rounds }) => (await import('./latency.ts')).benchLatency(rounds * 40),
	start: async ({ rounds }) => (await import('./start.ts')).benchStart(rounds),
	'kafka-produce': contest(async () => (await import('./kafka/frames.ts')).benchProduce),
	'kafka-consume': contest(async () => (await import('./kafka/frames.ts')).benchConsume),
	'kafka-durable': contest(async () => (await import('./kafka/durable.ts')).benchKafkaDurable),
	'kafka-debezium': contest(async () => (await import('./kafka/debezium.ts')).benchDefaults),
	'kafka-debezium-tuned': contest(async () => (await import('./kafka/debezium.ts')).benchTuned),
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
