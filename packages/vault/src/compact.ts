import type { SegmentFile } from './log/actions.ts'
import type { Log } from './log/log.ts'
import { comparePlaces, parseRange } from './segment/range.ts'
import { parseStatistics } from './segment/statistics.ts'
import { wholeBytes } from './segment/write.ts'

export type CompactOptions = {
	/** Size up to which segments are merged into one. Default 16 MiB. */
	targetBytes?: number
	/** Fewer neighbours than this are left as they are. Default {@link minSegments}. */
	minSegments?: number
	/** Columns of a segment, for those whose statistics do not say. */
	widthOf?: (file: SegmentFile) => number | undefined
	/** Uncompressed bytes of a merged segment at most, whatever its size: a column of it is held whole. Default 512 MiB. */
	plainBytes?: number
	/** Rows that the key index takes in at once, in memory. Default {@link defaultBatchRows}. */
	batchRows?: number
}

/** Small segments that are worth a merge, and a new index. */
export const minSegments = 8

export const defaultBatchRows = 1_000_000

/** Values (rows times columns) of a merge at most: it is sorted in memory, beside the capture. */
export const maxValues = 2_000_000

/**
 * Groups of segments to merge into one each: neighbours in log order and of one schema version, so that the merged segments
 * still follow each other in the log and a reader in log order needs one of them at a time.
 */
export function planMerges(
	files: Iterable<SegmentFile>,
	{ targetBytes = 16 * 1024 * 1024, minSegments: fewest = minSegments, widthOf }: CompactOptions,
): SegmentFile[][] {
	const ordered = [...files].map((file) => ({ file, range: parseRange(file.range) }))
	ordered.sort((a, b) => comparePlaces(a.range.first, b.range.first))
	const merges: { files: SegmentFile[]; bytes: number; values: number }[] = []
	for (const { file } of ordered) {
		const { rows, nulls } = parseStatistics(file.stats)
		const values = rows * Math.max(nulls.size, widthOf?.(file) ?? 0)
		const newest = merges.at(-1)
		const fits =
			newest !== undefined &&
			newest.files[0]?.schema === file.schema &&
			newest.bytes + file.size <= targetBytes &&
			newest.values + values <= maxValues
		if (fits) {
			newest.files.push(file)
			newest.bytes += file.size
			newest.values += values
		} else merges.push({ files: [file], bytes: file.size, values })
	}
	return merges.map((merge) => withoutGrown(merge.files)).filter((group) => group.length >= Math.max(2, fewest))
}

/** Segments to rewrite as slices, one by one: large ones that no merge takes. An encrypted one can only be read whole. */
export function planSlicing(files: Iterable<SegmentFile>, merges: readonly SegmentFile[][]): SegmentFile[] {
	const merged = new Set(merges.flat())
	const isOpen = ({ isSliced, key }: SegmentFile) => !isSliced && key === undefined
	return [...files].filter((file) => isOpen(file) && file.size > wholeBytes && !merged.has(file))
}

/** Leaves out what is larger than all behind it: else every round would write the grown segment again for a few small ones. */
function withoutGrown(files: SegmentFile[]): SegmentFile[] {
	let behind = files.reduce((bytes, { size }) => bytes + size, 0)
	const start = files.findIndex(({ size }) => {
		behind -= size
		return size <= behind
	})
	return start < 0 ? [] : files.slice(start)
}

/** Exchanges segments for those that have their rows; answers false, changing nothing, when one of them went meanwhile. */
export async function commitMerge(
	log: Log,
	{ inputs, outputs }: { inputs: readonly SegmentFile[]; outputs: SegmentFile[] },
	{ now, newId }: { now: () => number; newId: () => string },
): Promise<boolean> {
	const { isAppended } = await log.append((state) => {
		if (!inputs.every(({ path }) => state.files.has(path))) return undefined
		const removedAt = now()
		return {
			operation: 'OPTIMIZE',
			facts: { id: newId() },
			transactions: [],
			adds: outputs,
			removes: inputs.map(({ path, size }) => ({ path, size, removedAt })),
			isDataChange: false,
		}
	})
	return isAppended
}
