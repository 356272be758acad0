import { type Bounds, boundsOf, extremesOf, joinExtremes } from '../values/bounds.ts'
import type { DeltaType, Encoded } from '../values/codec.ts'
import type { Extremes, NativeMaps, NativeValues } from '../values/native.ts'
import { type Chunk, encodeChunk, encodeMapChunks, pathOf } from './chunk.ts'
import { groupOf, groupsOf, magic, tailWriter } from './footer.ts'
import type { ThriftStruct } from './thrift.ts'

/** One column of a segment under construction. */
export type SegmentColumn = { name: string; encoded: Encoded<NativeValues | NativeMaps> }

/** Rows per row group: small enough to decode one at a time. */
export const groupRows = 20_000

/** Rows of every group, or of each, and which columns' groups have statistics (default: those of numbers and times). */
export type Grouping = { rows: number | readonly number[]; bounded?: readonly string[] }

/** The rows `from` to `to` of each group. */
export function groupSpans(rows: number, { rows: size }: Grouping): { from: number; to: number }[] {
	const spans: { from: number; to: number }[] = []
	for (let from = 0; from < rows; ) {
		const own = typeof size === 'number' ? size : (size[spans.length] ?? rows)
		const to = Math.min(from + own, rows)
		spans.push({ from, to })
		from = to
	}
	return spans
}

/** None where there is no group. */
export function rowsIn(span: { from: number; to: number } | undefined): number {
	return span ? span.to - span.from : 0
}

/** A column as it lies in a file, row group by row group, and what statistics say of it. */
export type EncodedColumn = {
	name: string
	nullCount: number
	bounds?: Bounds
	type: DeltaType | 'map'
	/** Those of each row group; a map has two. */
	groups: Chunk[][]
}

/** Encodes a column of so many rows: its values may be let go of. */
export function encodeColumn(
	{ name, encoded }: SegmentColumn,
	rows: number,
	grouping: Grouping = { rows: groupRows },
): EncodedColumn {
	const { data, nullCount } = encoded
	const groups: Chunk[][] = []
	let all: Extremes | undefined
	const path = pathOf(name)
	const paths = { key: pathOf(name, 'key_value', 'key'), value: pathOf(name, 'key_value', 'value') }
	for (const part of groupSpans(rows, grouping)) {
		if (data.type === 'map') groups.push(encodeMapChunks(paths, data, part))
		else {
			const isBounded = grouping.bounded ? grouping.bounded.includes(name) : data.spans === undefined
			const isAsked = isBounded || data.extremes === undefined
			const extremes = isAsked ? extremesOf(data, { ...part, isFull: nullCount === 0 }) : undefined
			groups.push([encodeChunk(path, data, { ...part, extremes: isBounded ? extremes : undefined })])
			all = joinExtremes(data, all, extremes)
		}
	}
	const bounds = data.type === 'map' ? undefined : boundsOf(data, data.extremes ?? all)
	return { name, type: data.type, nullCount, ...(bounds && { bounds }), groups }
}

/** Parquet bytes (zstd) of columns that were encoded under this grouping. */
export function joinColumns(
	columns: readonly EncodedColumn[],
	rows: number,
	grouping: Grouping = { rows: groupRows },
): Uint8Array {
	const parts: Uint8Array[] = [magic]
	const groups: ThriftStruct[] = []
	let at = magic.length
	const spans = groupSpans(rows, grouping)
	for (const [number, chunks] of groupsOf(columns).entries()) {
		groups.push(groupOf(chunks, { at, rows: rowsIn(spans[number]) }))
		for (const { pages, size } of chunks) {
			parts.push(...pages)
			at += size
		}
	}
	return Buffer.concat([...parts, tailWriter(columns)(groups, rows)])
}

/** A column of text maps; a row without a map is NULL. */
export function encodeMaps(
	rows: number,
	mapOf: (row: number) => Record<string, string | null> | null,
): Encoded<NativeMaps> {
	const nullBitmap = new Uint8Array((rows + 7) >> 3)
	const offsets = new Int32Array(rows + 1)
	const keys: string[] = []
	const values: (string | null)[] = []
	let nullCount = 0
	for (let row = 0; row < rows; row++) {
		const map = mapOf(row)
		if (map === null) nullCount++
		else {
			nullBitmap[row >> 3] = (nullBitmap[row >> 3] as number) | (1 << (row & 7))
			for (const [key, value] of Object.entries(map)) {
				keys.push(key)
				values.push(value)
			}
		}
		offsets[row + 1] = keys.length
	}
	const [keyData, items] = [textsOf(keys).data, textsOf(values).data]
	return { data: { type: 'map', nullBitmap, offsets, keys: keyData, items }, nullCount, exact: [] }
}

function textsOf(texts: readonly (string | null)[]): Encoded {
	return encodeStrings(texts.length, (row) => texts[row] as string | null)
}

/** A text column from strings, of which many are the same: each of those lies there once. */
export function encodeStrings(rows: number, textOf: (row: number) => string | null): Encoded {
	const nullBitmap = new Uint8Array((rows + 7) >> 3)
	const spans = { starts: new Uint32Array(rows), ends: new Uint32Array(rows) }
	const known = new Map<string, { start: number; end: number }>()
	const cells: Uint8Array[] = []
	let size = 0
	let nullCount = 0
	for (let row = 0; row < rows; row++) {
		const text = textOf(row)
		if (text === null) {
			nullCount++
			continue
		}
		nullBitmap[row >> 3] = (nullBitmap[row >> 3] as number) | (1 << (row & 7))
		let span = known.get(text)
		if (!span) {
			const cell = Buffer.from(text)
			span = { start: size, end: size + cell.length }
			size = span.end
			cells.push(cell)
			known.set(text, span)
		}
		spans.starts[row] = span.start
		spans.ends[row] = span.end
	}
	return { data: { type: 'string', nullBitmap, spans, values: Buffer.concat(cells) }, nullCount, exact: [] }
}
