import type { DeltaType, Encoded } from '../values/codec.ts'
import { isBitSet, type NativeMaps, type NativeValues } from '../values/native.ts'
import { type Chunk, encodeChunk, encodeMapChunks } from './chunk.ts'
import { ordersOf, schemaOf } from './schema.ts'
import { i32, i64, list, struct, type ThriftStruct, text, writeThrift } from './thrift.ts'

/** One column of a segment under construction. */
export type SegmentColumn = { name: string; encoded: Encoded<NativeValues | NativeMaps> }

/** Rows per row group: small enough to decode one at a time. */
export const groupRows = 20_000

/** How a segment's rows are grouped, and which columns' groups have statistics (default: those of numbers and times). */
export type Grouping = { rows: number; bounded?: readonly string[] }

/** By which a file of ours says who wrote it. */
export const writerName = 'reprieve'

const magic = Buffer.from('PAR1')

/** A column as it lies in a file, row group by row group, and what statistics say of it. */
export type EncodedColumn = Pick<Encoded, 'nullCount' | 'bounds'> & {
	name: string
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
	const groups: Chunk[][] = []
	for (let from = 0; from < rows; from += grouping.rows)
		groups.push(chunksOf({ name, encoded }, { from, to: Math.min(from + grouping.rows, rows) }, grouping))
	const { data, nullCount, bounds } = encoded
	return { name, type: data.type, nullCount, bounds, groups }
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
	for (let from = 0; from < rows; from += grouping.rows) {
		const chunks = columns.flatMap((column) => column.groups[groups.length] as Chunk[])
		groups.push(groupOf(chunks, { at, rows: Math.min(grouping.rows, rows - from) }))
		for (const { pages, size } of chunks) {
			parts.push(...pages)
			at += size
		}
	}
	const footer = footerOf(columns, groups, rows)
	const size = Buffer.alloc(4)
	size.writeUInt32LE(footer.length)
	return Buffer.concat([...parts, footer, size, magic])
}

function chunksOf(
	{ name, encoded }: SegmentColumn,
	part: { from: number; to: number },
	{ bounded }: Grouping,
): Chunk[] {
	const { data } = encoded
	if (data.type === 'map') return encodeMapChunks(name, data, part.from, part.to)
	const isBounded = bounded ? bounded.includes(name) : data.valueOffsets === undefined
	return [encodeChunk(name, data, { ...part, isBounded })]
}

function groupOf(chunks: readonly Chunk[], { at, rows }: { at: number; rows: number }): ThriftStruct {
	let offset = at
	const columns = chunks.map(({ size, dictionarySize, meta }) => {
		const placed = [...meta, [9, i64(offset + dictionarySize)] as const]
		if (dictionarySize > 0) placed.push([11, i64(offset)])
		offset += size
		return struct([
			[2, i64(0)],
			[3, struct(placed.sort(([a], [b]) => a - b))],
		])
	})
	const plainSize = chunks.reduce((sum, chunk) => sum + chunk.plainSize, 0)
	return new Map([
		[1, list(12, columns)],
		[2, i64(plainSize)],
		[3, i64(rows)],
		[5, i64(at)],
		[6, i64(offset - at)],
	])
}

function footerOf(columns: readonly EncodedColumn[], groups: ThriftStruct[], rows: number): Uint8Array {
	const schema = schemaOf(columns)
	const leaves = columns.reduce((sum, { type }) => sum + (type === 'map' ? 2 : 1), 0)
	return writeThrift(
		new Map([
			[1, i32(1)],
			[2, list(12, schema.map(struct))],
			[3, i64(rows)],
			[4, list(12, groups.map(struct))],
			[6, text(writerName)],
			[7, ordersOf(leaves)],
		]),
	)
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

/** A text column from strings; meant for the vault's own few and short values. */
export function encodeStrings(rows: number, textOf: (row: number) => string | null): Encoded {
	const nullBitmap = new Uint8Array((rows + 7) >> 3)
	const valueOffsets = new Int32Array(rows + 1)
	const numbers = new Map<string, number>()
	const cells: Uint8Array[] = []
	const cellOf = new Int32Array(rows)
	let nullCount = 0
	for (let row = 0; row < rows; row++) {
		const text = textOf(row)
		let size = 0
		if (text === null) nullCount++
		else {
			nullBitmap[row >> 3] = (nullBitmap[row >> 3] as number) | (1 << (row & 7))
			const number = numbers.get(text) ?? numbers.size
			if (number === cells.length) {
				numbers.set(text, number)
				cells.push(Buffer.from(text))
			}
			cellOf[row] = number
			size = (cells[number] as Uint8Array).length
		}
		valueOffsets[row + 1] = (valueOffsets[row] as number) + size
	}
	const values = new Uint8Array(valueOffsets[rows] as number)
	if (values.length > 0)
		for (let row = 0; row < rows; row++)
			if (isBitSet(nullBitmap, row)) values.set(cells[cellOf[row] as number] as Uint8Array, valueOffsets[row])
	const bounds = boundsOf([...cells])
	return { data: { type: 'string', nullBitmap, valueOffsets, values }, nullCount, bounds, exact: [] }
}

function boundsOf(cells: Uint8Array[]): { min: string; max: string } | undefined {
	const [first, ...rest] = cells.sort(Buffer.compare)
	if (first === undefined) return undefined
	const json = (bytes: Uint8Array) => JSON.stringify(Buffer.from(bytes).toString())
	return { min: json(first), max: json(rest.at(-1) ?? first) }
}
