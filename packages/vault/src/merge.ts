import type { SourceTable } from '@reprieve/contracts'
import { type Place, readWhole, sourceOf } from './archive.ts'
import { bookkeeping, hasKey, keyColumns, openColumns, type VaultColumn } from './columns.ts'
import { type CompactOptions, commitMerge, maxValues, planMerges, planSlicing } from './compact.ts'
import { unlessLetGo } from './let-go.ts'
import type { SegmentFile, TableMeta } from './log/actions.ts'
import type { Log } from './log/log.ts'
import { refreshIndex } from './lookup/refresh.ts'
import { gatherSorted } from './segment/gather.ts'
import { openParquet } from './segment/parquet.ts'
import { putSegment } from './segment/put.ts'
import { type RowGroup, rowGroupsOf } from './segment/read.ts'
import { Scratch } from './segment/scratch.ts'
import { buildSliced, newPath } from './segment/write.ts'

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
	const widthOf = ({ schema }: SegmentFile) => meta.schemas[schema ?? -1]?.columns.length
	const merges = planMerges(files.values(), { ...options, widthOf })
	const single = planSlicing(files.values(), merges)
		.filter((file) => hasKey(sourceOf(meta, file).table))
		.map((file) => [file])
	const pages = new Scratch()
	const { plainBytes = 512 * 1024 * 1024 } = options
	for (const inputs of [...merges, ...single]) {
		const outputs = await unlessLetGo(writeSorted(place, { meta, inputs, pages, plainBytes }, now()), place, log)
		if (!outputs) continue
		if (await commitMerge(log, { inputs, outputs }, { now, newId: place.newId })) {
			counts.merged += inputs.length
			counts.written += outputs.length
		} else for (const { path } of outputs) await place.store.delete(`${place.folder}/${path}`)
	}
	await refreshIndex(place, log, { ...options, now })
	return counts
}

/** The rows of the inputs in as few segments as memory allows. */
async function writeSorted(
	place: Place,
	{
		meta,
		inputs,
		pages,
		plainBytes,
	}: { meta: TableMeta; inputs: readonly SegmentFile[]; pages: Scratch; plainBytes: number },
	modifiedAt: number,
): Promise<SegmentFile[]> {
	const { table, columns } = sourceOf(meta, inputs[0] as SegmentFile)
	const outputs: SegmentFile[] = []
	let groups: RowGroup[] = []
	let values = 0
	let bytes = 0
	const flush = async () => {
		const output = await writePart(place, groups, { table, columns, pages })
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
	{ table, columns, pages }: { table: SourceTable; columns: readonly VaultColumn[]; pages: Scratch },
): Promise<Omit<SegmentFile, 'modifiedAt' | 'schema'>> {
	const bounded = keyColumns(table).map((at) => (columns[at] as VaultColumn).name)
	const sorted = await gatherSorted(groups, { table, columns }, pages)
	const { range, ...segment } = await buildSliced(sorted, { path: newPath(place), bounded })
	return { ...(await putSegment(place, { ...segment, isSliced: true }, openColumns)), range }
}
