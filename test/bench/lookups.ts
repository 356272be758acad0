import { parseArgs } from 'node:util'
import type { KeyOrder } from './archive.ts'
import { type BenchOptions, inChild } from './child.ts'
import { benchLookup, type Lookup } from './lookup.ts'
import type { Report } from './report.ts'

/** Rows of the largest archive, unless said otherwise. */
const mostRows = 10_000_000

/** Finding one key in archives of a hundredth, a tenth and all of `rows` (default 1e7), each in a process of its own. */
export async function benchLookups({ rows = mostRows, rounds }: BenchOptions, order: KeyOrder): Promise<Report> {
	const data: Lookup[] = []
	for (const part of [rows / 100, rows / 10, rows])
		data.push(await inChild<Lookup>(import.meta.filename, order, { rows: part, rounds }))
	return {
		text: [...data.map(describe), describeGrowth(data)].join('\n'),
		data: { lookups: data },
		rows: data.map(toRow),
	}
}

function toRow({ rows, order, warm, duckdb }: Lookup) {
	const what = `lookup: one key among ${rows} ${order}`
	return { what, figure: describeCost(warm), ours: '', yardstick: duckdb ? `p50 ${duckdb.p50Ms.toFixed(1)} ms` : '' }
}

function describe(lookup: Lookup): string {
	const { rows, order, segments, mib, rewritten, seconds, peakMib, warm, cold, duckdb } = lookup
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

if (process.argv.includes('--child') && process.argv[1] === import.meta.filename) {
	const { values, positionals } = parseArgs({
		allowPositionals: true,
		options: { rows: { type: 'string' }, rounds: { type: 'string' }, child: { type: 'boolean' } },
	})
	process.send?.(await benchLookup(Number(values.rows), positionals[0] as KeyOrder))
	process.disconnect()
}
