import { fork } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import type { Outcome } from './contest.ts'
import { benchLookup, type Lookup } from './lookup.ts'

/** Loaded by the process that runs them, which then needs nothing of the others. */
const contests: Record<string, (rows: number, rounds: number) => Promise<Outcome>> = {
	deletes: async (rows, rounds) => (await import('./deletes.ts')).benchDeletes(rows, rounds),
	capture: async (rows, rounds) => (await import('./capture.ts')).benchCapture(rows, rounds),
	durable: async (rows, rounds) => (await import('./durable.ts')).benchDurable(rows, rounds),
	restore: async (rows, rounds) => (await import('./restore.ts')).benchRestore(rows, rounds),
}

/** Finding one key, in archives of a hundredth, a tenth and all of `--rows` (default 1e7): a table of its own, no contest. */
const lookup = 'lookup'
const lookupRows = 10_000_000
const orders = ['scattered', 'rising'] as const

/** `pnpm bench [--rows 100000] [--rounds 5] [--json] [name ...]`: each contest, or archive, in a process of its own. */
async function main(): Promise<void> {
	const { values, positionals } = parseArgs({
		allowPositionals: true,
		options: {
			rows: { type: 'string' },
			rounds: { type: 'string' },
			json: { type: 'boolean' },
			child: { type: 'boolean' },
			order: { type: 'string' },
		},
	})
	const rows = Number(values.rows ?? 100_000)
	const rounds = Number(values.rounds ?? 5)
	const names = positionals.length > 0 ? positionals : [...Object.keys(contests), lookup]
	const unknown = names.find((name) => name !== lookup && !(name in contests))
	if (unknown) throw new Error(`no contest ${unknown}; there are ${[...Object.keys(contests), lookup].join(', ')}`)
	if (values.child) {
		const [name = ''] = names
		const order = orders.find((one) => one === values.order) ?? 'scattered'
		process.send?.(name === lookup ? await benchLookup(rows, order) : await contests[name]?.(rows, rounds))
		process.disconnect()
		return
	}
	const outcomes: (Outcome | Lookup)[] = []
	for (const name of names.filter((one) => one !== lookup)) {
		const outcome = await inChild<Outcome>(name, ['--rows', `${rows}`, '--rounds', `${rounds}`])
		outcomes.push(outcome)
		if (!values.json) console.log(describe(outcome))
	}
	if (names.includes(lookup)) {
		const print = values.json ? () => {} : console.log
		outcomes.push(...(await lookups(Number(values.rows ?? lookupRows), print)))
	}
	if (values.json) console.log(JSON.stringify(outcomes, null, 2))
}

async function lookups(rows: number, print: (line: string) => void): Promise<Lookup[]> {
	const found: Lookup[] = []
	for (const order of orders) {
		const own: Lookup[] = []
		for (const part of [rows / 100, rows / 10, rows]) {
			own.push(await inChild<Lookup>(lookup, ['--rows', `${part}`, '--order', order]))
			print(describeLookup(own.at(-1) as Lookup))
		}
		print(describeGrowth(own))
		found.push(...own)
	}
	return found
}

async function inChild<T>(name: string, options: string[]): Promise<T> {
	const child = fork(fileURLToPath(import.meta.url), ['--child', ...options, name])
	const answer = Promise.withResolvers<T>()
	child.on('message', (outcome) => answer.resolve(outcome as T))
	const [code] = await once(child, 'exit')
	if (code !== 0) throw new Error(`${name} ended with ${code}`)
	return await answer.promise
}

function describe(outcome: Outcome): string {
	const { ratio, rowsPerSecond, cpuSeconds } = outcome
	return [
		outcome.contest,
		`  ratio ${ratio.median.toFixed(2)} (${ratio.low.toFixed(2)} to ${ratio.high.toFixed(2)}, ${outcome.rounds} rounds)`,
		`  ours      ${Math.round(rowsPerSecond.ours)} rows/s, ${cpuSeconds.ours.toFixed(2)} CPU s   ${outcome.ours}`,
		`  yardstick ${Math.round(rowsPerSecond.yardstick)} rows/s, ${cpuSeconds.yardstick.toFixed(2)} CPU s   ${outcome.yardstick}`,
		`  peak memory of service and sidecar ${outcome.peakMiB.toFixed(0)} MiB`,
	].join('\n')
}

function describeLookup({
	rows,
	order,
	segments,
	mib,
	rewritten,
	seconds,
	peakMib,
	warm,
	cold,
	duckdb,
}: Lookup): string {
	return [
		`lookup: one key among ${rows} ${order} in ${segments} segments (${mib.segments.toFixed(0)} MiB, index ${mib.index.toFixed(1)} MiB)`,
		`  warm log  ${describeCost(warm)}`,
		`  cold log  ${describeCost(cold)}, log ${cold.log.reads.toFixed(0)} reads ${cold.log.kib.toFixed(0)} KiB`,
		`  DuckDB    ${duckdb ? `p50 ${duckdb.p50Ms.toFixed(1)} ms, the first ${duckdb.firstMs.toFixed(0)} ms` : 'skipped'}`,
		`  archived in ${seconds.toFixed(0)} s, compaction rewrote ${rewritten.segments.toFixed(2)} times (index ${rewritten.index.toFixed(2)}), peak memory ${peakMib.toFixed(0)} MiB`,
	].join('\n')
}

/** How finding a key in the largest archive compares with the smallest. */
function describeGrowth(lookups: readonly Lookup[]): string {
	const growth = (of: (cost: Lookup['warm']) => number) =>
		(of((lookups.at(-1) as Lookup).warm) / of((lookups[0] as Lookup).warm)).toFixed(2)
	const reads = growth((warm) => warm.reads.mean)
	const bytes = growth(({ kib }) => kib.mean)
	return `  a hundred times the rows: reads ${reads}, bytes ${bytes}, time ${growth(({ p50Ms }) => p50Ms)} times`
}

function describeCost({ reads, kib, p50Ms }: Lookup['warm']): string {
	return `${reads.mean.toFixed(2)} reads (at most ${reads.max}), ${kib.mean.toFixed(0)} KiB (at most ${kib.max.toFixed(0)}), p50 ${p50Ms.toFixed(1)} ms`
}

await main()
