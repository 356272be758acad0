import { cpuUsage, resourceUsage } from 'node:process'
import { type Processes, type Usage, usageOfAll } from './processes.ts'

type Side = {
	/** What is run, as a reader would type it. */
	command: string
	/** Before each round, not timed. */
	prepare?: () => Promise<void>
	/** The timed work; answers how many rows it did, and in how many seconds where it has a clock of its own. */
	run: () => Promise<number | { rows: number; seconds: number }>
	/** Processes that do the work beside this one. */
	processes?: () => Processes
}

export type Contest = {
	name: string
	ours: Side
	yardstick: Side
	/** Interleaved pairs; the side that begins alternates. Default 5. */
	rounds?: number
	/** What `run` counts. Default `rows`. */
	unit?: string
}

type Measure = { rowsPerSecond: number; cpuSeconds: number; processes: Record<string, Usage> }

export type Outcome = {
	contest: string
	unit: string
	ours: string
	yardstick: string
	/** Median, smallest and largest of the rounds' ratios ours / yardstick in rows per second. */
	ratio: { median: number; low: number; high: number }
	rowsPerSecond: { ours: number; yardstick: number }
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
	const rounds = contest.rounds ?? 5
	const ours: Measure[] = []
	const yardstick: Measure[] = []
	for (let round = 0; round < rounds; round++) {
		const order = round % 2 === 0 ? [ours, yardstick] : [yardstick, ours]
		for (const list of order) list.push(await measure(list === ours ? contest.ours : contest.yardstick))
	}
	const ratios = ours.map((one, round) => one.rowsPerSecond / (yardstick[round] as Measure).rowsPerSecond)
	return {
		contest: contest.name,
		unit: contest.unit ?? 'rows',
		ours: contest.ours.command,
		yardstick: contest.yardstick.command,
		ratio: { median: median(ratios), low: Math.min(...ratios), high: Math.max(...ratios) },
		rowsPerSecond: { ours: speed(ours), yardstick: speed(yardstick) },
		cpuSeconds: { ours: cpu(ours), yardstick: cpu(yardstick) },
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
	const { rows, seconds } = typeof done === 'number' ? { rows: done, seconds: wall } : done
	const used = cpuUsage(cpuBefore)
	return {
		rowsPerSecond: rows / seconds,
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

function speed(measures: Measure[]): number {
	return median(measures.map((one) => one.rowsPerSecond))
}

function cpu(measures: Measure[]): number {
	return median(measures.map((one) => one.cpuSeconds))
}

/** The middle of some numbers. */
export function median(values: number[]): number {
	const sorted = [...values].sort((a, b) => a - b)
	const middle = sorted.length >> 1
	const upper = sorted[middle] as number
	return sorted.length % 2 === 1 ? upper : ((sorted[middle - 1] as number) + upper) / 2
}
