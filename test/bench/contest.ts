import { cpuUsage, resourceUsage } from 'node:process'
import { type Processes, type Usage, usageOfAll } from './processes.ts'

type Done = { rows: number; seconds?: number; counts?: Record<string, number> }

type Side = {
	/** What is run, as a reader would type it. */
	command: string
	/** Before each round, not timed. */
	prepare?: () => Promise<void>
	/** The timed work; answers how many rows it did, in how many seconds where it has a clock of its own, and what it counted. */
	run: () => Promise<number | Done>
	/** Processes that do the work beside this one. */
	processes?: () => Processes
}

export type Contest = {
	name: string
	ours: Side
	yardstick: Side
	/** Interleaved pairs; the side that begins alternates. */
	rounds: number
	/** What `run` counts. Default `rows`. */
	unit?: string
}

type Measure = {
	rowsPerSecond: number
	seconds: number
	cpuSeconds: number
	counts: Record<string, number>
	processes: Record<string, Usage>
}

/** Median, smallest and largest of the rounds' ratios ours / yardstick. */
type Ratio = { median: number; low: number; high: number }

export type Outcome = {
	contest: string
	unit: string
	ours: string
	yardstick: string
	/** In rows per second. */
	ratio: Ratio
	rowsPerSecond: { ours: number; yardstick: number }
	/** Median per round. */
	seconds: { ours: number; yardstick: number }
	/** Of whatever both sides counted besides: bytes, say. */
	counts: Record<string, { ratio: Ratio; ours: number; yardstick: number }>
	/** Of this process, the database's not included: median per round. */
	cpuSeconds: { ours: number; yardstick: number }
	/** Peak resident memory of this process over all rounds, both sides. */
	peakMiB: number
	/** Of each further process: CPU seconds, median per round, and its peak resident memory. */
	processes: Record<'ours' | 'yardstick', Record<string, Usage>>
	rounds: number
}

/** Runs both sides in turn, so that whatever else the machine does falls on both. */
export async function hold(contest: Contest): Promise<Outcome> {
	const { rounds } = contest
	const ours: Measure[] = []
	const yardstick: Measure[] = []
	for (let round = 0; round < rounds; round++) {
		const order = round % 2 === 0 ? [ours, yardstick] : [yardstick, ours]
		for (const list of order) list.push(await measure(list === ours ? contest.ours : contest.yardstick))
	}
	const pairs = ours.map((one, round) => ({ ours: one, yardstick: yardstick[round] as Measure }))
	return {
		contest: contest.name,
		unit: contest.unit ?? 'rows',
		ours: contest.ours.command,
		yardstick: contest.yardstick.command,
		ratio: ratioOf(pairs, (one) => one.rowsPerSecond),
		rowsPerSecond: bothOf(pairs, (one) => one.rowsPerSecond),
		seconds: bothOf(pairs, (one) => one.seconds),
		counts: countsOf(pairs),
		cpuSeconds: bothOf(pairs, (one) => one.cpuSeconds),
		peakMiB: resourceUsage().maxRSS / 1024,
		processes: { ours: shared(ours), yardstick: shared(yardstick) },
		rounds,
	}
}

async function measure(side: Side): Promise<Measure> {
	await side.prepare?.()
	const processes = side.processes?.() ?? {}
	const before = usageOfAll(processes)
	const cpuBefore = cpuUsage()
	const start = performance.now()
	const done = await side.run()
	const wall = (performance.now() - start) / 1000
	const { rows, seconds = wall, counts = {} } = typeof done === 'number' ? { rows: done } : done
	const used = cpuUsage(cpuBefore)
	return {
		rowsPerSecond: rows / seconds,
		...{ seconds, counts },
		cpuSeconds: (used.user + used.system) / 1e6,
		processes: usageOfAll(processes, before),
	}
}

function shared(measures: Measure[]): Record<string, Usage> {
	const names = Object.keys(measures[0]?.processes ?? {})
	return Object.fromEntries(
		names.map((name) => {
			const usages = measures.flatMap(({ processes }) => processes[name] ?? [])
			return [
				name,
				{
					cpuSeconds: median(usages.map((usage) => usage.cpuSeconds)),
					peakMiB: Math.max(...usages.map((usage) => usage.peakMiB)),
				},
			]
		}),
	)
}

type Pair = { ours: Measure; yardstick: Measure }

function ratioOf(pairs: Pair[], of: (one: Measure) => number): Ratio {
	const ratios = pairs.map(({ ours, yardstick }) => of(ours) / of(yardstick))
	return { median: median(ratios), low: Math.min(...ratios), high: Math.max(...ratios) }
}

function bothOf(pairs: Pair[], of: (one: Measure) => number): { ours: number; yardstick: number } {
	return { ours: median(pairs.map(({ ours }) => of(ours))), yardstick: median(pairs.map((pair) => of(pair.yardstick))) }
}

function countsOf(pairs: Pair[]): Outcome['counts'] {
	return Object.fromEntries(
		Object.keys(pairs[0]?.ours.counts ?? {}).map((name) => {
			const of = ({ counts }: Measure) => counts[name] as number
			return [name, { ratio: ratioOf(pairs, of), ...bothOf(pairs, of) }]
		}),
	)
}

/** The middle of some numbers. */
export function median(values: number[]): number {
	const sorted = [...values].sort((a, b) => a - b)
	const middle = sorted.length >> 1
	const upper = sorted[middle] as number
	return sorted.length % 2 === 1 ? upper : ((sorted[middle - 1] as number) + upper) / 2
}
