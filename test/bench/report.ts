import type { Outcome } from './contest.ts'
import type { Usage } from './processes.ts'

/** What a benchmark has to say: for people, and the same for programs. */
export type Report = { text: string; data: unknown }

/** A contest's ratio with its spread, and what each side used. */
export function reportOf(outcome: Outcome): Report {
	const { ratio, rowsPerSecond, cpuSeconds, unit, processes } = outcome
	const lines = [
		outcome.contest,
		`  ratio ${ratio.median.toFixed(2)} (${ratio.low.toFixed(2)} to ${ratio.high.toFixed(2)}, ${outcome.rounds} rounds)`,
		`  ours      ${Math.round(rowsPerSecond.ours)} ${unit}/s, ${cpuSeconds.ours.toFixed(2)} CPU s   ${outcome.ours}`,
		...usageLines(processes.ours),
		`  yardstick ${Math.round(rowsPerSecond.yardstick)} ${unit}/s, ${cpuSeconds.yardstick.toFixed(2)} CPU s   ${outcome.yardstick}`,
		...usageLines(processes.yardstick),
		`  peak memory of this process ${outcome.peakMiB.toFixed(0)} MiB`,
	]
	return { text: lines.join('\n'), data: outcome }
}

function usageLines(processes: Record<string, Usage>): string[] {
	return Object.entries(processes).map(
		([name, { cpuSeconds, peakMiB }]) => `    ${name}: ${cpuSeconds.toFixed(2)} CPU s, peak ${peakMiB.toFixed(0)} MiB`,
	)
}
