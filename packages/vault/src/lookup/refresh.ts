import { isDeepStrictEqual } from 'node:util'
import { type Place, readWhole, sourceOf } from '../archive.ts'
import { hasKey, keyColumns } from '../columns.ts'
import { type CompactOptions, defaultBatchRows, minSegments } from '../compact.ts'
import { unlessLetGo } from '../let-go.ts'
import type { SegmentFile, TableMeta } from '../log/actions.ts'
import type { Log } from '../log/log.ts'
import { openParquet } from '../segment/parquet.ts'
import { comparePlaces, parseRange } from '../segment/range.ts'
import { type Cell, type RowGroup, rowGroupsOf } from '../segment/read.ts'
import { slicesOf } from '../segment/slices.ts'
import { parseStatistics } from '../segment/statistics.ts'
import { type KeyHashes, wholeBytes } from '../segment/write.ts'
import { type Entries, growEntries, packSlice } from './entries.ts'
import { hashKey, type Seed, seedOf } from './hash.ts'
import { deleteShards, type IndexRun, type RunSources, writeRun } from './run.ts'

/**
 * Takes segments that the table's key index does not cover into it: into its small run, or, when that would grow beyond the
 * geometric mean of the large run and `batchRows`, everything into one. There are never more than two runs. Fewer segments
 * than `minSegments` wait while each has filters of its own. Those whose keys are `known`, by path, are not read.
 */
export async function refreshIndex(
	place: Place,
	log: Log,
	{
		now,
		known,
		minSegments: fewest = minSegments,
		batchRows = defaultBatchRows,
	}: CompactOptions & { now: () => number; known: ReadonlyMap<string, KeyHashes> },
): Promise<void> {
	let present: ReadonlySet<string> | undefined
	for (;;) {
		const { meta, files } = await log.refresh()
		if (!meta) return
		const isFirst = present === undefined
		// What comes meanwhile waits for the next time: beside a busy writer this one would never end.
		present ??= new Set(files.keys())
		const runs = (await areThere(place, meta.index ?? [])) ? (meta.index ?? []) : []
		const open = uncovered(meta, files.values(), runs).filter(({ path }) => present?.has(path))
		if (open.length === 0 || (isFirst && open.length < fewest && open.every(({ filters }) => filters))) return
		const fresh = await unlessLetGo(entriesOf(place, { meta, files: open, known }, batchRows), place, log)
		if (!fresh) continue
		const sources = { fresh, isLive: (path: string) => files.has(path) }
		const index = await mergeRuns(place, runs, sources, batchRows)
		if (!(await commitIndex(place, log, { before: meta.index, index, now }))) return
	}
}

/** Segments that have keys and are small or sliced, oldest first. The index would tell of what is encrypted. */
function uncovered(meta: TableMeta, files: Iterable<SegmentFile>, runs: readonly IndexRun[]): SegmentFile[] {
	const covered = new Set(runs.flatMap((run) => run.covers))
	const isKeyed = meta.schemas.map(hasKey)
	return [...files]
		.filter(({ path, schema, size, isSliced, key }) => {
			const isFit = key === undefined && (isSliced || size <= wholeBytes)
			return !covered.has(path) && isFit && isKeyed[schema ?? -1] === true
		})
		.map((file) => ({ file, first: parseRange(file.range).first }))
		.sort((a, b) => comparePlaces(a.first, b.first))
		.map(({ file }) => file)
}

/** Entries of the segments, as far as memory allows, and at least of one. */
async function entriesOf(
	place: Place,
	{ meta, files, known }: { meta: TableMeta; files: readonly SegmentFile[]; known: ReadonlyMap<string, KeyHashes> },
	batchRows: number,
): Promise<{ entries: Entries; covers: string[] }> {
	const entries = growEntries(rowsOf(files, batchRows))
	const covers: string[] = []
	for (const file of files) {
		if (entries.count >= batchRows) break
		const own = known.get(file.path)
		if (own) addKnown(entries, own, covers.length)
		else await addSegment(place, entries, { meta, file, segment: covers.length })
		covers.push(file.path)
	}
	return { entries, covers }
}

function addKnown(entries: Entries, { hashes, parts }: KeyHashes, segment: number): void {
	for (const { slice, start, end } of parts)
		entries.pushAll(hashes.subarray(start, end), { segment, ...packSlice(slice) })
}

async function addSegment(
	place: Place,
	entries: Entries,
	{ meta, file, segment }: { meta: TableMeta; file: SegmentFile; segment: number },
): Promise<void> {
	const { table, columns } = sourceOf(meta, file)
	const bytes = await readWhole(place, file)
	const slices = file.isSliced ? slicesOf(bytes) : []
	const at = { keyAt: keyColumns(table), seed: seedOf(meta.id), segment }
	for (const [number, group] of rowGroupsOf(openParquet(bytes), table, columns).entries())
		await addGroup(entries, group, { ...at, ...packSlice(slices[number]) })
}

/** Rows of the files, `most` at most: what lies behind is not looked at, each round begins further on. */
function rowsOf(files: readonly SegmentFile[], most: number): number {
	let rows = 0
	for (const { stats } of files) {
		if (rows >= most) break
		rows += parseStatistics(stats).rows
	}
	return Math.min(rows, most)
}

/** Rows of one key that follow each other share an entry. */
async function addGroup(
	entries: Entries,
	group: RowGroup,
	{ keyAt, seed, ...at }: { keyAt: readonly number[]; seed: Seed; segment: number; offset: number; size: number },
): Promise<void> {
	const texts = await Promise.all(keyAt.map((column) => group.texts(column)))
	const cells = new Array<Cell>(keyAt.length)
	let before = -1
	for (let row = 0; row < group.rows; row++) {
		for (let at = 0; at < texts.length; at++) cells[at] = (texts[at] as (row: number) => Cell)(row)
		const hash = hashKey(seed, cells)
		if (hash !== before) entries.push({ hash, ...at })
		before = hash
	}
}

/** The index with what is fresh; without runs that turn out damaged, whose segments are taken in again in the next round. */
async function mergeRuns(
	place: Place,
	runs: readonly IndexRun[],
	{ fresh, isLive }: Pick<RunSources, 'fresh' | 'isLive'>,
	batchRows: number,
): Promise<IndexRun[]> {
	const [large, small] = runs
	const smallRows = (small?.rows ?? 0) + fresh.entries.count
	const isApart = large && large.rows > batchRows && smallRows <= Math.sqrt(large.rows * batchRows)
	const kept = isApart ? [large] : []
	const merged = isApart ? [small].filter((run) => run !== undefined) : runs
	const run = await writeRun(place, { runs: merged, fresh, isLive, shardRows: Math.ceil(batchRows / 2) })
	return run ? [...kept, run] : kept
}

/** An index of which an object is lost is made anew. */
async function areThere({ store, folder }: Place, runs: readonly IndexRun[]): Promise<boolean> {
	for (const { shards } of runs)
		for (const { path, size } of shards) if ((await store.size(`${folder}/${path}`)) !== size) return false
	return true
}

/** Answers false, leaving nothing behind, when another index was committed meanwhile. */
async function commitIndex(
	place: Place,
	log: Log,
	{ before, index, now }: { before: IndexRun[] | undefined; index: IndexRun[]; now: () => number },
): Promise<boolean> {
	const kept = new Set(index.flatMap(({ shards }) => shards.map(({ path }) => path)))
	const old = (before ?? []).flatMap(({ shards }) => shards)
	const { isAppended } = await log.append((state) => {
		if (!state.meta || !isDeepStrictEqual(state.meta.index, before)) return undefined
		const removedAt = now()
		return {
			operation: 'OPTIMIZE',
			facts: { id: place.newId() },
			meta: { ...state.meta, index },
			transactions: [],
			adds: [],
			removes: old.filter(({ path }) => !kept.has(path)).map(({ path, size }) => ({ path, size, removedAt })),
			isDataChange: false,
		}
	})
	const known = new Set(old.map(({ path }) => path))
	if (!isAppended)
		await deleteShards(
			place,
			index.flatMap(({ shards }) => shards).filter(({ path }) => !known.has(path)),
		)
	return isAppended
}
