import { median } from '../contest.ts'
import type { Report } from '../report.ts'
import type { Watched } from './watch.ts'

/** The figures of a load: the beginning beside the end shows what grows. */
type Figures = {
	load: string
	seconds: number
	/** Median of the first and of the last fifth of the time, and the most. */
	heldBackMiB: Span
	residentMiB: Record<string, Span>
	lagMs: Span & { p50: number; p99: number }
	cpuSeconds: Record<string, number>
	peakMiB: Record<string, number>
}

type Span = { first: number; last: number; most: number }

/** What a load showed, for people and for programs; `more` are lines of its own. */
export function describeLoad(load: string, watched: Watched, more: readonly string[] = []): Report {
	const { looks, lagsMs, processes, seconds } = watched
	const names = Object.keys(processes)
	const sorted = [...lagsMs].sort((a, b) => a - b)
	const at = (share: number) => sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN
	const data: Figures = {
		...{ load, seconds },
		heldBackMiB: span(looks.map((look) => look.heldBackMiB)),
		residentMiB: each(names, (name) => span(looks.map((look) => look.residentMiB[name] ?? 0))),
		lagMs: { ...span(lagsMs), p50: at(0.5), p99: at(0.99) },
		cpuSeconds: each(names, (name) => processes[name]?.cpuSeconds ?? 0),
		peakMiB: each(names, (name) => processes[name]?.peakMiB ?? 0),
	}
	const lines = [
		load,
		...more.map((line) => `  ${line}`),
		`  commit to receipt p50 ${ms(data.lagMs.p50)}, p99 ${ms(data.lagMs.p99)}, ${growth(data.lagMs, ms)}`,
		`  log held back by the slot ${growth(data.heldBackMiB, mib)}`,
		...names.map((name) => {
			const resident = data.residentMiB[name] as Span
			return `  ${name}: ${data.cpuSeconds[name]?.toFixed(1)} CPU s in ${seconds.toFixed(0)} s, memory ${growth(resident, mib)}, peak ${mib(data.peakMiB[name] as number)}`
		}),
	]
	const figure = `commit to receipt p50 ${ms(data.lagMs.p50)}, p99 ${ms(data.lagMs.p99)}; held back at most ${mib(data.heldBackMiB.most)}`
	const rows = [{ what: load, figure, ours: more.join('; '), yardstick: '' }]
	return { text: lines.join('\n'), data: { ...data, notes: more }, rows }
}

function span(values: number[]): Span {
	const fifth = Math.max(1, Math.floor(values.length / 5))
	return { first: median(values.slice(0, fifth)), last: median(values.slice(-fifth)), most: Math.max(...values) }
}

function growth({ first, last, most }: Span, show: (value: number) => string): string {
	return `${show(first)} in the first fifth, ${show(last)} in the last, at most ${show(most)}`
}

function ms(value: number): string {
	return `${value.toFixed(0)} ms`
}

function mib(value: number): string {
	return `${value.toFixed(value < 10 ? 1 : 0)} MiB`
}

function each<T>(names: readonly string[], of: (name: string) => T): Record<string, T> {
	return Object.fromEntries(names.map((name) => [name, of(name)]))
}
