import { setImmediate, setTimeout } from 'node:timers/promises'
import { type ChangeRows, changeOps, type TextColumn } from '@reprieve/contracts'
import { hasKey, keyColumns, type VaultColumn } from '../columns.ts'
import { type FilterPart, formatFilters } from '../lookup/filter.ts'
import { hashKeys, type Seed } from '../lookup/hash.ts'
import { digestOf } from '../seal.ts'
import type { Encoded } from '../values/codec.ts'
import { cellText } from '../values/text.ts'
import { codecOf } from '../values/types.ts'
import {
	type EncodedColumn,
	encodeColumn,
	encodeMaps,
	encodeStrings,
	type Grouping,
	groupRows,
	groupSpans,
	joinColumns,
	rowsIn,
	type SegmentColumn,
} from './encode.ts'
import { groupsOf } from './footer.ts'
import type { Gathered, Sorted } from './gather.ts'
import { formatRange, type Range, rangeOf } from './range.ts'
import { joinSlices, longestSlice, sliceBytes, slicesOf } from './slices.ts'
import { statisticsOf } from './statistics.ts'

/** Input bytes that make one segment. */
const segmentBytes = 64 * 1024 * 1024

/** Input that takes seconds: between two steps of it others have their turn, such as who renews a lease by some reads and writes. */
const longBytes = 256 * 1024 * 1024
const turnMs = 30

/** Segments up to this size are read as a whole also for a single key. */
export const wholeBytes = 128 * 1024

/** Sorted segments up to this size carry filters; of larger ones there are few enough to index each at once. */
const filteredBytes = 256 * 1024

/** Rows that show how large a row is in a segment. */
const sampleRows = 1_000

/** What a row costs beside its values. */
const rowOverhead = 48

/** A segment in memory. */
export type Segment = {
	path: string
	rows: number
	bytes: Uint8Array
	sha256: string
	stats: string
	range: string
	/** Filters of its keys, when it is small. */
	filters?: string
	/** What the index wants of it. */
	keys?: KeyHashes
}

/** Hashes of a segment's keys, and the parts in which those rows lie. */
export type KeyHashes = { hashes: Float64Array; parts: readonly FilterPart[] }

/** Row ranges of about 64 MiB of input each, at least one row. */
export function splitRows(rows: ChangeRows, limit = segmentBytes): { start: number; end: number }[] {
	if (rows.count > 0 && sizeOf(rows, { start: 0, end: rows.count }) < limit) return [{ start: 0, end: rows.count }]
	const parts: { start: number; end: number }[] = []
	let start = 0
	let size = 0
	for (let row = 0; row < rows.count; row++) {
		size += rowOverhead
		for (const { offsets } of rows.columns) size += (offsets[row + 1] as number) - (offsets[row] as number)
		if (size < limit && row + 1 < rows.count) continue
		parts.push({ start, end: row + 1 })
		start = row + 1
		size = 0
	}
	return parts
}

function sizeOf({ columns }: ChangeRows, { start, end }: { start: number; end: number }): number {
	return columns.reduce(
		(size, { offsets }) => size + (offsets[end] as number) - (offsets[start] as number),
		(end - start) * rowOverhead,
	)
}

/** Encodes rows `start` to `end` as one segment under the given vault columns (parallel to the source's). */
export async function buildSegment(
	rows: ChangeRows,
	columns: readonly VaultColumn[],
	{ path, start, end }: { path: string; start: number; end: number },
): Promise<Segment> {
	const takeTurns = async () => {
		if (sizeOf(rows, { start, end }) > longBytes) await setTimeout(turnMs)
	}
	const all = await encodeRows(rows, columns, { start, end, takeTurns })
	await takeTurns()
	const built = { path, bytes: joinColumns(all, end - start), stats: statisticsOf(all, end - start) }
	const segment = finishSegment(built, { rows: end - start, range: rangeOf(rows, start, end) })
	if (segment.bytes.length > wholeBytes || !hasKey(rows.table)) return segment
	const key = keyColumns(rows.table).map((at) => rows.columns[at] as TextColumn)
	return { ...segment, filters: formatFilters(path, key, [{ start, end }]) }
}

/** Encodes sorted rows as one segment of slices, whose groups have bounds of the columns named; a seed hashes their keys. */
export async function buildSliced(
	sorted: Sorted,
	{ path, bounded, seed }: { path: string; bounded: readonly string[]; seed?: Seed | undefined },
): Promise<Segment> {
	const { count, range } = sorted
	const { all, grouping } = await encodeSlices(sorted, bounded)
	const bytes = joinSlices(path, all, { rows: count, grouping })
	const segment = finishSegment({ path, bytes, stats: statisticsOf(all, count) }, { rows: count, range })
	const isSmall = bytes.length <= filteredBytes
	if (!hasKey(sorted.table) || !(isSmall || seed)) return segment
	const slices = slicesOf(bytes)
	const parts = groupSpans(count, grouping).map(({ from, to }, at) => ({
		...(slices[at] && { slice: slices[at] }),
		...{ start: from, end: to },
	}))
	const key = await sorted.keyTexts()
	return {
		...segment,
		...(isSmall && { filters: formatFilters(path, key, parts) }),
		...(seed && { keys: { hashes: hashKeys(seed, key, { start: 0, end: count }), parts } }),
	}
}

/** Times that groups are cut at most: each encodes everything anew. */
const mostCuts = 3

/** Rows in groups that make a slice each; cut again where rows are much wider than those that were tried. */
async function encodeSlices(
	sorted: Sorted,
	bounded: readonly string[],
): Promise<{ all: EncodedColumn[]; grouping: Grouping }> {
	let grouping: Grouping = { rows: await fittingRows(sorted), bounded }
	for (let cuts = 0; ; cuts++) {
		const all = await encodeGathered(sorted, grouping)
		const rows = cuts < mostCuts && cutLong(all, groupSpans(sorted.count, grouping))
		if (!rows) return { all, grouping }
		grouping = { rows, bounded }
	}
}

/** Rows of each group when those that are too long are cut; undefined where there is nothing to cut. */
function cutLong(all: EncodedColumn[], spans: { from: number; to: number }[]): number[] | undefined {
	const sizes = groupsOf(all).map((chunks) => chunks.reduce((sum, { size }) => sum + size, 0))
	const rows = spans.flatMap((span, at) => cut(rowsIn(span), sizes[at] as number))
	return rows.length > spans.length ? rows : undefined
}

/** Rows of the parts of a group, which is left as it is where it is not too long. */
function cut(rows: number, size: number): number[] {
	if (size <= longestSlice) return [rows]
	const each = Math.ceil(rows / Math.ceil(size / sliceBytes))
	return Array.from({ length: Math.ceil(rows / each) }, (_, at) => Math.min(each, rows - at * each))
}

/** Rows that make a slice, by some of them. */
async function fittingRows(sorted: Sorted): Promise<number> {
	const sample = sorted.sample(sampleRows)
	const tried = joinColumns(await encodeGathered(sample, { rows: groupRows, bounded: [] }), sample.count)
	return Math.max(1, Math.min(Math.ceil(sliceBytes / (tried.length / sample.count)), groupRows))
}

/** One column at a time is held; others have their turn between two. */
async function encodeGathered(rows: Gathered, grouping: Grouping): Promise<EncodedColumn[]> {
	const encoded: EncodedColumn[] = []
	for (const column of rows.columns) {
		await setImmediate()
		encoded.push(encodeColumn({ name: column.name, encoded: await rows.gather(column) }, rows.count, grouping))
	}
	return encoded
}

/** The name of a segment's object in its table's folder. */
export function newPath({ newId }: { newId: () => string }): string {
	return `data/${newId()}.parquet`
}

/** Of source columns one at a time is held, as text and in its native form. */
async function encodeRows(
	rows: ChangeRows,
	columns: readonly VaultColumn[],
	{ start, end, takeTurns }: { start: number; end: number; takeTurns: () => Promise<void> },
): Promise<EncodedColumn[]> {
	const encode = (column: SegmentColumn) => encodeColumn(column, end - start)
	const encoded: EncodedColumn[] = []
	const exact = new Map<number, Record<string, string>>()
	for (const [at, { name, type }] of columns.entries()) {
		await takeTurns()
		const texts = rows.columns[at] as TextColumn
		const native = codecOf(type).encode(texts, start, end)
		for (const row of native.exact) exact.set(row, { ...exact.get(row), [name]: cellText(texts, start + row) })
		encoded.push(encode({ name, encoded: native }))
	}
	const exactColumn = { name: '_exact', encoded: encodeMaps(end - start, (row) => exact.get(row) ?? null) }
	return [...bookkeepingOf(rows, start, end).map(encode), encode(exactColumn), ...encoded]
}

function finishSegment(
	built: Pick<Segment, 'path' | 'bytes' | 'stats'>,
	{ rows, range }: { rows: number; range: Range },
): Segment {
	return { ...built, rows, sha256: digestOf(built.bytes), range: formatRange(range) }
}

function bookkeepingOf(rows: ChangeRows, start: number, end: number): SegmentColumn[] {
	const xid = widened(rows.xid.subarray(start, end))
	const position = new BigInt64Array(rows.position.slice(start, end).buffer)
	const ordinal = new Int32Array(rows.ordinal.slice(start, end).buffer)
	const committedAt = rows.committedAt.slice(start, end)
	return [
		{ name: '_op', encoded: encodeStrings(end - start, (row) => changeOps[rows.op[start + row] as number] as string) },
		{ name: '_xid', encoded: whole('long', xid) },
		{ name: '_position', encoded: whole('long', position) },
		{ name: '_ordinal', encoded: whole('integer', ordinal) },
		{ name: '_committed_at', encoded: whole('timestamp', committedAt) },
		{ name: '_leaf', encoded: encodeStrings(end - start, (row) => rows.leaf[start + row] ?? null) },
		{ name: '_rewritten', encoded: encodeMaps(end - start, (row) => rows.rewritten[start + row] ?? null) },
	]
}

/** 32-bit numbers as 64-bit ones, without a BigInt for each. */
function widened(numbers: Uint32Array): BigInt64Array {
	const words = new Uint32Array(numbers.length * 2)
	for (let at = 0; at < numbers.length; at++) words[at * 2] = numbers[at] as number
	return new BigInt64Array(words.buffer)
}

/** A column without NULL. */
function whole(type: 'integer' | 'long' | 'timestamp', values: Int32Array | BigInt64Array): Encoded {
	const nullBitmap = new Uint8Array((values.length + 7) >> 3).fill(0xff)
	return { data: { type, nullBitmap, values }, nullCount: 0, exact: [] }
}
