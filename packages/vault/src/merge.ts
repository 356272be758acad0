import type { SourceTable } from '@reprieve/contracts'
import { type Place, readWhole, sourceOf } from './archive.ts'
import { openColumns, type VaultColumn } from './columns.ts'
import { type CompactOptions, commitMerge, planMerges } from './compact.ts'
import type { SegmentFile, TableMeta } from './log/actions.ts'
import type { Log } from './log/log.ts'
import { openParquet } from './segment/parquet.ts'
import { putSegment } from './segment/put.ts'
import { comparePlaces } from './segment/range.ts'
import { changesOf, type RowGroup, type RowRef, rowGroupsOf } from './segment/read.ts'
import { buildSegment } from './segment/write.ts'

type Keyed = RowRef & { key: unknown[]; position: bigint; ordinal: number }

/** Merges small neighbouring segments into larger ones, sorted by key, then by place in the log. */
export async function compactTable(
	place: Place,
	log: Log,
	{ now, ...options }: CompactOptions & { now: () => number },
): Promise<{ merged: number; written: number }> {
	const { meta, files } = await log.refresh()
	const counts = { merged: 0, written: 0 }
	if (!meta) return counts
	for (const inputs of planMerges(files.values(), {
		...options,
		widthOf: ({ schema }) => meta.schemas[schema ?? -1]?.columns.length,
	})) {
		const output = await writeMerged(place, { meta, inputs }, now())
		if (await commitMerge(log, inputs, output, now)) {
			counts.merged += inputs.length
			counts.written += 1
		} else await place.store.delete(`${place.folder}/${output.path}`)
	}
	return counts
}

async function writeMerged(
	place: Place,
	{ meta, inputs }: { meta: TableMeta; inputs: readonly SegmentFile[] },
	modifiedAt: number,
): Promise<SegmentFile> {
	const { table, columns } = sourceOf(meta, inputs[0] as SegmentFile)
	const refs: Keyed[] = []
	for (const file of inputs)
		for (const group of rowGroupsOf(openParquet(await readWhole(place, file)), table, columns))
			refs.push(...(await keyedRefs(group, keyColumns(table, columns))))
	refs.sort(compareKeyed)
	const rows = await changesOf(refs, table, { isFinal: true })
	const { range, ...segment } = await buildSegment(rows, columns, { start: 0, end: rows.count })
	return { ...(await putSegment(place, segment, openColumns)), modifiedAt, range, schema: inputs[0]?.schema }
}

/** Vault columns of the source's key. */
function keyColumns(table: SourceTable, columns: readonly VaultColumn[]): string[] {
	return table.key.flatMap((name) => columns[table.columns.findIndex((column) => column.name === name)]?.name ?? [])
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
