import { setTimeout } from 'node:timers/promises'
import { type ChangeRows, changeOps, type TextColumn } from '@reprieve/contracts'
import type { VaultColumn } from '../columns.ts'
import { type FilterPart, formatFilters } from '../lookup/filter.ts'
import { digestOf } from '../seal.ts'
import type { Encoded } from '../values/codec.ts'
import { instantJson } from '../values/instant.ts'
import { cellText } from '../values/text.ts'
import { codecOf } from '../values/types.ts'
import { extremesOf } from './bounds.ts'
import { encodeMaps, encodeSegment, encodeStrings, groupRows, type SegmentColumn } from './encode.ts'
import { formatRange, rangeOf } from './range.ts'
import { cutSlices, sliceBytes, slicesOf } from './slices.ts'
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
}

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
	const all = encodeRows(rows, columns, { start, end })
	await takeTurns()
	const bytes = encodeSegment(all, end - start)
	await takeTurns()
	const segment = finishSegment(rows, { start, end }, all, { path, bytes })
	return bytes.length > wholeBytes ? segment : withFilters(segment, rows, [{ start, end }])
}

/** Encodes rows, sorted by the columns named, as one segment of slices. */
export async function buildSliced(
	rows: ChangeRows,
	columns: readonly VaultColumn[],
	{ path, sortedBy }: { path: string; sortedBy: readonly string[] },
): Promise<Segment> {
	const part = { start: 0, end: rows.count }
	const sample = Math.min(rows.count, sampleRows)
	const tried = encodeSegment(encodeRows(rows, columns, { start: 0, end: sample }), sample, {
		rows: groupRows,
		bounded: [],
	})
	const fitting = Math.ceil(sliceBytes / (tried.length / sample))
	const all = encodeRows(rows, columns, part)
	const grouping = { rows: Math.max(1, Math.min(fitting, groupRows)), bounded: sortedBy }
	const bytes = cutSlices(path, encodeSegment(all, rows.count, grouping))
	const segment = finishSegment(rows, part, all, { path, bytes })
	if (bytes.length > filteredBytes) return segment
	const parts = slicesOf(bytes).map((slice, at) => {
		const start = at * grouping.rows
		return { slice, start, end: Math.min(start + grouping.rows, rows.count) }
	})
	return withFilters(segment, rows, parts)
}

function withFilters(segment: Segment, rows: ChangeRows, parts: readonly FilterPart[]): Segment {
	const filters = formatFilters(segment.path, rows, parts)
	return filters === undefined ? segment : { ...segment, filters }
}

/** The name of a segment's object in its table's folder. */
export function newPath({ newId }: { newId: () => string }): string {
	return `data/${newId()}.parquet`
}

function encodeRows(
	rows: ChangeRows,
	columns: readonly VaultColumn[],
	{ start, end }: { start: number; end: number },
): SegmentColumn[] {
	const encoded = rows.columns.map((column, at) => encodeColumn(column, columns[at] as VaultColumn, start, end))
	return [...bookkeepingOf(rows, start, end), exactColumn(rows.columns, encoded, start, end), ...encoded]
}

function finishSegment(
	rows: ChangeRows,
	{ start, end }: { start: number; end: number },
	all: SegmentColumn[],
	{ path, bytes }: { path: string; bytes: Uint8Array },
): Segment {
	return {
		path,
		rows: end - start,
		bytes,
		sha256: digestOf(bytes),
		stats: statisticsOf(all, end - start),
		range: formatRange(rangeOf(rows, start, end)),
	}
}

function encodeColumn(column: TextColumn, target: VaultColumn, start: number, end: number): SegmentColumn {
	return { name: target.name, encoded: codecOf(target.type).encode(column, start, end) }
}

function bookkeepingOf(rows: ChangeRows, start: number, end: number): SegmentColumn[] {
	const xid = widened(rows.xid.subarray(start, end))
	const position = new BigInt64Array(rows.position.slice(start, end).buffer)
	const ordinal = new Int32Array(rows.ordinal.slice(start, end).buffer)
	const committedAt = rows.committedAt.slice(start, end)
	return [
		{ name: '_op', encoded: encodeStrings(end - start, (row) => changeOps[rows.op[start + row] as number] as string) },
		{ name: '_xid', encoded: whole('long', xid, String) },
		{ name: '_position', encoded: whole('long', position, String) },
		{ name: '_ordinal', encoded: whole('integer', ordinal, String) },
		{ name: '_committed_at', encoded: whole('timestamp', committedAt, (micros) => instantJson(micros as bigint)) },
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
function whole(
	type: 'integer' | 'long' | 'timestamp',
	values: Int32Array | BigInt64Array,
	toJson: (value: number | bigint) => string,
): Encoded {
	const nullBitmap = new Uint8Array((values.length + 7) >> 3).fill(0xff)
	const data = { type, nullBitmap, values }
	const rows = extremesOf(data, { from: 0, to: values.length, isFull: true })
	const jsonAt = (row: number) => toJson(values[row] as number | bigint)
	return { data, nullCount: 0, bounds: rows && { min: jsonAt(rows.min), max: jsonAt(rows.max) }, exact: [] }
}

/** The texts that native columns cannot carry, by vault column name. */
function exactColumn(
	columns: readonly TextColumn[],
	encoded: readonly SegmentColumn[],
	start: number,
	end: number,
): SegmentColumn {
	const texts = new Map<number, Record<string, string>>()
	encoded.forEach(({ name, encoded: { exact } }, at) => {
		for (const row of exact) {
			const map = texts.get(row) ?? {}
			map[name] = cellText(columns[at] as TextColumn, start + row)
			texts.set(row, map)
		}
	})
	return { name: '_exact', encoded: encodeMaps(end - start, (row) => texts.get(row) ?? null) }
}
