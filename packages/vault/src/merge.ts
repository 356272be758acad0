import type { SourceTable } from '@reprieve/contracts'
import { type Place, readWhole, sourceOf } from './archive.ts'
import { bookkeeping, hasKey, keyColumns, openColumns, type VaultColumn } from './columns.ts'
import { type CompactOptions, commitMerge, defaultBatchRows, maxValues, planMerges, planSlicing } from './compact.ts'
import { unlessLetGo } from './let-go.ts'
import type { SegmentFile, TableMeta } from './log/actions.ts'
import type { Log } from './log/log.ts'
import { type Seed, seedOf } from './lookup/hash.ts'
import { refreshIndex } from './lookup/refresh.ts'
import { gatherSorted } from './segment/gather.ts'
import { openParquet } from './segment/parquet.ts'
import { putSegment } from './segment/put.ts'
import { type RowGroup, rowGroupsOf } from './segment/read.ts'
import { Scratch } from './segment/scratch.ts'
import { buildSliced, type KeyHashes, newPath } from './segment/write.ts'

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
	const pages = new Scratch()
	const { plainBytes = 512 * 1024 * 1024, batchRows = defaultBatchRows } = options
	const known = new Map<string, KeyHashes>()
	let knownRows = 0
	const keep: Keep = (path, keys) => {
		knownRows += keys.hashes.length
		if (knownRows <= batchRows) known.set(path, keys)
	}
	for (const inputs of [...merges, ...single]) {
		const outputs = await unlessLetGo(writeSorted(place, { meta, inputs, pages, plainBytes, keep }, now()), place, log)
		if (!outputs) continue
		if (await commitMerge(log, { inputs, outputs }, { now, newId: place.newId })) {
			counts.merged += inputs.length
			counts.written += outputs.length
		} else for (const { path } of outputs) await place.store.delete(`${place.folder}/${path}`)
	}
	await refreshIndex(place, log, { ...options, known, now })
	return counts
}

/** Keeps what the index will want of a segment, as far as there is room. */
type Keep = (path: string, keys: KeyHashes) => void

/** The rows of the inputs in as few segments as memory allows. */
async function writeSorted(
	place: Place,
	{
		meta,
		inputs,
		pages,
		plainBytes,
		keep,
	}: { meta: TableMeta; inputs: readonly SegmentFile[]; pages: Scratch; plainBytes: number; keep: Keep },
	modifiedAt: number,
): Promise<SegmentFile[]> {
	const { table, columns } = sourceOf(meta, inputs[0] as SegmentFile)
	const seed = place.keys ? undefined : seedOf(meta.id)
	const outputs: SegmentFile[] = []
	let groups: RowGroup[] = []
	let values = 0
	let bytes = 0
	const flush = async () => {
		const output = await writePart(place, groups, { table, columns, pages, seed, keep })
		outputs.push({ ...output, modifiedAt, schema: inputs[0]?.schema })
		groups = []
		values = 0
		bytes = 0
	}
	for (const file of inputs) {
		for (const group of rowGroupsOf(openParquet(await readWhole(place, file)), table, columns)) {
			const more = group.rows * (columns.length + bookkeeping.length)
			const isFull = values + more > maxValues || bytes + group.plainBytes > plainBytes
			if (groups.length > 0 && isFull) await flush()
			groups.push(group)
			values += more
			bytes += group.plainBytes
		}
	}
	if (groups.length > 0) await flush()
	return outputs
}

async function writePart(
	place: Place,
	groups: readonly RowGroup[],
	{
		table,
		columns,
		pages,
		seed,
		keep,
	}: { table: SourceTable; columns: readonly VaultColumn[]; pages: Scratch; seed: Seed | undefined; keep: Keep },
): Promise<Omit<SegmentFile, 'modifiedAt' | 'schema'>> {
	const bounded = keyColumns(table).map((at) => (columns[at] as VaultColumn).name)
	const sorted = await gatherSorted(groups, { table, columns }, pages)
	const { range, keys, ...segment } = await buildSliced(sorted, { path: newPath(place), bounded, seed })
	if (keys) keep(segment.path, keys)
	return { ...(await putSegment(place, { ...segment, isSliced: true }, openColumns)), range }
}
