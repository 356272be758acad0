import type { Outcome } from './contest.ts'
import type { Usage } from './processes.ts'

/** One line of the table of all benchmarks: what was measured, the figure with its spread, and both sides' own. */
type Row = { what: string; figure: string; ours: string; yardstick: string }

/** What a benchmark cost at its size: what is compared to see how it grows. */
type Cost = Readonly<Record<string, number>>

/** What a benchmark has to say: for people, and the same for programs. */
export type Report = { text: string; data: unknown; rows?: readonly Row[]; cost?: Cost }

/** A contest's ratio with its spread, and what each side used. */
export function reportOf(outcome: Outcome): Report {
	const { ratio, rowsPerSecond, cpuSeconds, unit, processes } = outcome
	const lines = [
		outcome.contest,
		`  ratio ${spread(ratio)}, ${outcome.rounds} rounds`,
		`  ours      ${Math.round(rowsPerSecond.ours)} ${unit}/s, ${cpuSeconds.ours.toFixed(2)} CPU s   ${outcome.ours}`,
		...usageLines(processes.ours),
		`  yardstick ${Math.round(rowsPerSecond.yardstick)} ${unit}/s, ${cpuSeconds.yardstick.toFixed(2)} CPU s   ${outcome.yardstick}`,
		...usageLines(processes.yardstick),
		...Object.entries(outcome.counts).map(
			([name, count]) => `  ${name}: ratio ${spread(count.ratio)}, ${shown(count.ours)} to ${shown(count.yardstick)}`,
		),
		`  peak memory of this process ${outcome.peakMiB.toFixed(0)} MiB`,
	]
	const cost = { seconds: outcome.seconds.ours, 'CPU seconds': totalOf(cpuSeconds.ours, processes.ours) }
	return { text: lines.join('\n'), data: outcome, rows: rowsOf(outcome), cost }
}

function rowsOf({ contest, ratio, rowsPerSecond, cpuSeconds, unit, counts, processes, peakMiB }: Outcome): Row[] {
	const side = (name: 'ours' | 'yardstick') =>
		[
			`${Math.round(rowsPerSecond[name])} ${unit}/s`,
			...Object.entries({ 'this process': { cpuSeconds: cpuSeconds[name], peakMiB }, ...processes[name] }).map(
				describeUsage,
			),
		].join('; ')
	return [
		{ what: contest, figure: spread(ratio), ours: side('ours'), yardstick: side('yardstick') },
		...Object.entries(counts).map(([name, count]) => ({
			what: `the same: ${name}`,
			figure: spread(count.ratio),
			ours: shown(count.ours),
			yardstick: shown(count.yardstick),
		})),
	]
}

function totalOf(own: number, processes: Record<string, Usage>): number {
	return Object.values(processes).reduce((sum, { cpuSeconds }) => sum + cpuSeconds, own)
}

function shown(value: number): string {
	return value < 100 ? value.toFixed(2) : String(Math.round(value))
}

function spread({ median, low, high }: Outcome['ratio']): string {
	return `${median.toFixed(2)} (${low.toFixed(2)} to ${high.toFixed(2)})`
}

function usageLines(processes: Record<string, Usage>): string[] {
	return Object.entries(processes).map((used) => `    ${describeUsage(used)}`)
}

/** What one process used, for a reader. */
export function describeUsage([name, { cpuSeconds, peakMiB }]: [string, Usage]): string {
	return `${name}: ${cpuSeconds.toFixed(2)} CPU s, peak ${peakMiB.toFixed(0)} MiB`
}
