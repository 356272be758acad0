import type { Report } from './report.ts'

/** Milliseconds of something that was done `count` times. */
export type Latencies = { what: string; p50: number; p99: number; worst: number; count: number }

export function summarise(what: string, values: number[]): Latencies {
	const sorted = [...values].sort((a, b) => a - b)
	const at = (share: number) => sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN
	return { what, p50: at(0.5), p99: at(0.99), worst: at(1), count: values.length }
}

/** Latencies for people, for programs and for the table of all benchmarks. */
export function describeLatencies(title: string, data: Latencies[]): Report {
	const rows = data.map(({ what, p50, p99, worst }) => ({
		what: `${title}: ${what}`,
		figure: `p50 ${p50.toFixed(0)} ms, p99 ${p99.toFixed(0)} ms, worst ${worst.toFixed(0)} ms`,
		...{ ours: '', yardstick: '' },
	}))
	const lines = rows.map(({ figure }, at) => `  ${data[at]?.what}: ${figure}`)
	return { text: [title, ...lines].join('\n'), data: { latencies: data }, rows }
}
