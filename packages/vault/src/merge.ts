import type { SourceTable } from '@reprieve/contracts'
import { type Place, readWhole, sourceOf } from './archive.ts'
import { type Behind, oneBehind } from './behind.ts'
import { bookkeeping, hasKey, keyColumns, openColumns, type VaultColumn } from './columns.ts'
import { type CompactOptions, commitMerge, defaultBatchRows, maxValues, planMerges, planSlicing } from './compact.ts'
import { unlessLetGo } from './let-go.ts'
import type { SegmentFile, TableMeta } from './log/actions.ts'
import type { Log } from './log/log.ts'
import { type Seed, seedOf } from './lookup/hash.ts'
import { refreshIndex } from './lookup/refresh.ts'
import { freshMemory, gatherSorted } from './segment/gather.ts'
import { openParquet } from './segment/parquet.ts'
import { putSegment } from './segment/put.ts'
import { type RowGroup, rowGroupsOf } from './segment/read.ts'
import type { Memory } from './segment/take.ts'
import { buildSliced, type KeyHashes, newPath, type Segment } from './segment/write.ts'

/**
 * Merges small neighbouring segments into larger ones, sorted by key, then by place in the log, and rewrites what is large
 * already the same way, part by part; the index then takes in what is new.
 */
export async function compactTable(
	place: Place,
	log: Log,
	{ now, ...options }: CompactOptions & { now: () => number },
): Promise<{ merged: number; written: number }> {
	const { meta, files } = await log.refresh()
	const counts = { merged: 0, written: 0 }
	if (!meta) return counts
	const widthOf = ({ schema }: SegmentFile) => {
		const table = meta.schemas[schema ?? -1]
		return table && table.columns.length + bookkeeping.length
	}
	const merges = planMerges(files.values(), { ...options, widthOf })
	const single = planSlicing(files.values(), merges)
		.filter((file) => hasKey(sourceOf(meta, file).table))
		.map((file) => [file])
	const memory = freshMemory()
	const { plainBytes = 512 * 1024 * 1024, batchRows = defaultBatchRows } = options
	const known = new Map<string, KeyHashes>()
	let knownRows = 0
	const keep: Keep = (path, keys) => {
		knownRows += keys.hashes.length
		if (knownRows <= batchRows) known.set(path, keys)
	}
	await using behind = oneBehind()
	for (const inputs of [...merges, ...single]) {
		const commit = async (outputs: SegmentFile[]) => {
			if (await commitMerge(log, { inputs, outputs }, { now, newId: place.newId })) {
				counts.merged += inputs.length
				counts.written += outputs.length
			} else for (const { path } of outputs) await place.store.delete(`${place.folder}/${path}`)
		}
		const limits = { memory, plainBytes }
		await unlessLetGo(writeSorted(place, { meta, inputs, limits, keep, behind, commit }, now()), place, log)
	}
	await behind.end()
	await refreshIndex(place, log, { ...options, known, now })
	return counts
}

/** Keeps what the index will want of a segment, as far as there is room. */
type Keep = (path: string, keys: KeyHashes) => void

/** How much a part of a merge may hold, and where its columns lie. */
type Limits = { memory: Memory; plainBytes: number }

type Merge = { meta: TableMeta; inputs: readonly SegmentFile[]; limits: Limits; keep: Keep; behind: Behind }

/** The rows of the inputs in as few segments as memory allows: what is built is put, and the last one committed, behind the next. */
async function writeSorted(
	place: Place,
	{ meta, inputs, limits, keep, behind, commit }: Merge & { commit: (outputs: SegmentFile[]) => Promise<void> },
	modifiedAt: number,
): Promise<void> {
	const source = sourceOf(meta, inputs[0] as SegmentFile)
	const seed = place.keys ? undefined : seedOf(meta.id)
	const outputs: SegmentFile[] = []
	for await (const { groups, isFinal } of partsOf(place, inputs, { ...source, ...limits })) {
		const { range, keys, ...segment } = await buildPart(groups, { ...source, ...limits, path: newPath(place), seed })
		if (keys) keep(segment.path, keys)
		await behind.begin(async () => {
			const stored = await putSegment(place, { ...segment, isSliced: true }, openColumns)
			outputs.push({ ...stored, range, modifiedAt, schema: inputs[0]?.schema })
			if (isFinal) await commit(outputs)
		})
	}
}

/** Row groups of the inputs, as many at once as memory allows. */
async function* partsOf(
	place: Place,
	inputs: readonly SegmentFile[],
	{ table, columns, plainBytes }: Source & { plainBytes: number },
): AsyncIterable<{ groups: RowGroup[]; isFinal: boolean }> {
	let groups: RowGroup[] = []
	let [values, bytes] = [0, 0]
	for (const file of inputs) {
		for (const group of rowGroupsOf(openParquet(await readWhole(place, file)), table, columns)) {
			const more = group.rows * (columns.length + bookkeeping.length)
			const isFull = values + more > maxValues || bytes + group.plainBytes > plainBytes
			if (groups.length > 0 && isFull) {
				yield { groups, isFinal: false }
				groups = []
				values = 0
				bytes = 0
			}
			groups.push(group)
			values += more
			bytes += group.plainBytes
		}
	}
	yield { groups, isFinal: true }
}

type Source = { table: SourceTable; columns: readonly VaultColumn[] }

async function buildPart(
	groups: readonly RowGroup[],
	{ table, columns, memory, path, seed }: Source & { memory: Memory; path: string; seed: Seed | undefined },
): Promise<Segment> {
	const bounded = keyColumns(table).map((at) => (columns[at] as VaultColumn).name)
	return await buildSliced(await gatherSorted(groups, { table, columns }, memory), { path, bounded, seed })
}
