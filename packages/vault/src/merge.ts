import type { SourceTable } from '@reprieve/contracts'
import { type Place, readWhole, sourceOf } from './archive.ts'
import { bookkeeping, hasKey, keyColumns, openColumns, type VaultColumn } from './columns.ts'
import { type CompactOptions, commitMerge, maxValues, planMerges, planSlicing } from './compact.ts'
import { unlessLetGo } from './let-go.ts'
import type { SegmentFile, TableMeta } from './log/actions.ts'
import type { Log } from './log/log.ts'
import { refreshIndex } from './lookup/refresh.ts'
import { openParquet } from './segment/parquet.ts'
import { putSegment } from './segment/put.ts'
import { comparePlaces } from './segment/range.ts'
import { changesOf, type RowGroup, type RowRef, rowGroupsOf } from './segment/read.ts'
import { buildSliced, newPath } from './segment/write.ts'

type Keyed = RowRef & { key: unknown[]; position: bigint; ordinal: number }

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
	for (const inputs of [...merges, ...single]) {
		const outputs = await unlessLetGo(writeSorted(place, { meta, inputs }, now()), place, log)
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
	{ meta, inputs }: { meta: TableMeta; inputs: readonly SegmentFile[] },
	modifiedAt: number,
): Promise<SegmentFile[]> {
	const { table, columns } = sourceOf(meta, inputs[0] as SegmentFile)
	const outputs: SegmentFile[] = []
	let groups: RowGroup[] = []
	let values = 0
	const flush = async () => {
		const output = await writePart(place, groups, { table, columns })
		outputs.push({ ...output, modifiedAt, schema: inputs[0]?.schema })
		groups = []
		values = 0
	}
	for (const file of inputs) {
		for (const group of rowGroupsOf(openParquet(await readWhole(place, file)), table, columns)) {
			const more = group.rows * (columns.length + bookkeeping.length)
			if (groups.length > 0 && values + more > maxValues) await flush()
			groups.push(group)
			values += more
		}
	}
	if (groups.length > 0) await flush()
	return outputs
}

async function writePart(
	place: Place,
	groups: readonly RowGroup[],
	{ table, columns }: { table: SourceTable; columns: readonly VaultColumn[] },
): Promise<Omit<SegmentFile, 'modifiedAt' | 'schema'>> {
	const names = keyColumns(table).map((at) => (columns[at] as VaultColumn).name)
	const refs: Keyed[] = []
	for (const group of groups) refs.push(...(await keyedRefs(group, names)))
	refs.sort(compareKeyed)
	const rows = await changesOf(refs, table, { isFinal: true })
	const { range, ...segment } = await buildSliced(rows, columns, { path: newPath(place), sortedBy: names })
	return { ...(await putSegment(place, { ...segment, isSliced: true }, openColumns)), range }
}

async function keyedRefs(group: RowGroup, names: readonly string[]): Promise<Keyed[]> {
	const position = (await group.values('_position')) as ArrayLike<bigint>
	const ordinal = (await group.values('_ordinal')) as ArrayLike<number>
	const keys = await Promise.all(names.map((name) => group.values(name)))
	return Array.from({ length: group.rows }, (_, row) => ({
		group,
		row,
		key: keys.map((values) => values[row]),
		position: position[row] as bigint,
		ordinal: ordinal[row] as number,
	}))
}

function compareKeyed(a: Keyed, b: Keyed): number {
	for (let at = 0; at < a.key.length; at++) {
		const order = compareNative(a.key[at], b.key[at])
		if (order !== 0) return order
	}
	return comparePlaces(a, b)
}

/** Order of two native cells, so that equal and near keys share a row group; NULL last. */
function compareNative(a: unknown, b: unknown): number {
	if (a === null || a === undefined) return b === null || b === undefined ? 0 : 1
	if (b === null || b === undefined) return -1
	if (a instanceof Uint8Array) return Buffer.compare(a, b as Uint8Array)
	const [left, right] = [a as number | bigint, b as number | bigint]
	if (left === right) return 0
	return left < right ? -1 : 1
}
