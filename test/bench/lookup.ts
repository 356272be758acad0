import { execFile } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { fileStore, openVault, type VaultTable } from '@reprieve/vault'
import { countingStore, type Traffic } from '../support/counting.ts'
import { findPython } from '../support/readers/readers.ts'
import { type KeyOrder, keyOf, makeRows } from './archive.ts'
import { median } from './contest.ts'

/** Rows of one commit, and commits between two compactions. */
const commitRows = 10_000
const commitsPerUpkeep = 50

const warmLookups = 200
const coldLookups = 20
const duckLookups = 20

/** Reads and KiB of segments and of the key index; of logs, on average. */
type Cost = {
	reads: { mean: number; max: number }
	kib: { mean: number; max: number }
	log: { reads: number; kib: number }
	p50Ms: number
}

/** What finding one key costs in one archive. */
export type Lookup = {
	rows: number
	order: KeyOrder
	segments: number
	mib: { segments: number; index: number }
	/** Bytes that compaction wrote, for segments and for the index, per byte that came in. */
	rewritten: { segments: number; index: number }
	/** Making the archive, compactions included. */
	seconds: number
	peakMib: number
	/** A handle that has read the log before. */
	warm: Cost
	/** A new handle for every key. */
	cold: Cost
	/** On the same files: the first key after the table was attached, and one of those after it. */
	duckdb?: { firstMs: number; p50Ms: number }
}

/** One key from an archive of so many rows, after compaction. */
export async function benchLookup(rows: number, order: KeyOrder): Promise<Lookup> {
	const folder = await mkdtemp(join(tmpdir(), 'reprieve-lookup-'))
	try {
		const counting = countingStore(fileStore(folder))
		const open = () =>
			openVault({ store: counting.store, database: 'shop' }).table({ schema: 'public', name: 'archived' })
		const table = open()
		const start = performance.now()
		const rewritten = await fill(table, { rows, order, take: counting.take })
		const seconds = (performance.now() - start) / 1000
		const keys = (count: number) =>
			Array.from({ length: count }, (_, at) => keyOf(Math.floor(((at + 0.5) * rows) / count), order))
		const warm = await ask(keys(warmLookups), () => table, counting.take)
		const cold = await ask(keys(coldLookups), open, counting.take)
		const duckdb = await askDuckdb(join(folder, 'shop/public/archived'), keys(duckLookups))
		const peakMib = process.resourceUsage().maxRSS / 1024
		return { rows, order, ...(await sizeUp(table)), rewritten, seconds, peakMib, warm, cold, ...duckdb }
	} finally {
		await rm(folder, { recursive: true, force: true })
	}
}

/** Archives the rows as a sidecar does, with its upkeep in between. */
async function fill(
	table: VaultTable,
	{ rows, order, take }: { rows: number; order: KeyOrder; take: () => Traffic },
): Promise<Lookup['rewritten']> {
	let arrived = 0
	const rewritten = { segments: 0, index: 0 }
	const upkeep = async () => {
		arrived += take().written.data
		await table.compact()
		await table.checkpoint()
		const { data, index } = take().written
		rewritten.segments += data
		rewritten.index += index
	}
	for (let from = 0; from < rows; from += commitRows) {
		const segments = await table.write(makeRows(from, Math.min(commitRows, rows - from), order))
		await table.commit({ source: 'bench', position: BigInt(from + 1), segments })
		if ((from / commitRows) % commitsPerUpkeep === commitsPerUpkeep - 1) await upkeep()
	}
	await upkeep()
	return { segments: rewritten.segments / arrived, index: rewritten.index / arrived }
}

async function ask(keys: bigint[], open: () => VaultTable, take: () => Traffic): Promise<Cost> {
	const taken: Traffic[] = []
	const times: number[] = []
	for (const key of keys) {
		const table = open()
		take()
		const start = performance.now()
		const chunks = await Array.fromAsync(table.read({ keys: [{ id: String(key) }] }))
		times.push(performance.now() - start)
		taken.push(take())
		if (chunks.length !== 1 || chunks[0]?.count !== 1) throw new Error(`key ${key} was not found once`)
	}
	return {
		reads: summary(taken.map(({ data }) => data)),
		kib: summary(taken.map(({ dataBytes }) => dataBytes / 1024)),
		log: { reads: mean(taken.map(({ log }) => log)), kib: mean(taken.map(({ logBytes }) => logBytes / 1024)) },
		p50Ms: median(times),
	}
}

async function askDuckdb(folder: string, keys: bigint[]): Promise<Pick<Lookup, 'duckdb'>> {
	const python = await findPython()
	if (!python) return {}
	const script = join(import.meta.dirname, 'lookup.py')
	const { stdout } = await promisify(execFile)(python, [script, folder, ...keys.map(String)])
	const [first = 0, ...others] = (JSON.parse(stdout) as number[]).map((seconds) => seconds * 1000)
	return { duckdb: { firstMs: first, p50Ms: median(others) } }
}

/** Reads and checks every object on the way. */
async function sizeUp(table: VaultTable): Promise<Pick<Lookup, 'segments' | 'mib'>> {
	const sizes = { segments: [] as number[], index: [] as number[] }
	for await (const { object, bytes, problem } of table.verify()) {
		if (problem) throw new Error(`${object}: ${problem}`)
		if (object.includes('/data/')) sizes.segments.push(bytes)
		if (object.includes('/_index/')) sizes.index.push(bytes)
	}
	const mib = (of: number[]) => of.reduce((sum, size) => sum + size, 0) / 2 ** 20
	return { segments: sizes.segments.length, mib: { segments: mib(sizes.segments), index: mib(sizes.index) } }
}

function summary(values: number[]): { mean: number; max: number } {
	return { mean: mean(values), max: Math.max(...values) }
}

function mean(values: number[]): number {
	return values.reduce((sum, value) => sum + value, 0) / values.length
}
