import {
	type Data,
	DataType,
	Field,
	Map_,
	makeData,
	RecordBatch,
	RecordBatchStreamWriter,
	Schema,
	Struct,
	Utf8,
} from 'apache-arrow'
import type { Encoded } from '../values/codec.ts'

/** One column of a segment under construction. */
export type SegmentColumn = { name: string; encoded: Encoded }

/** Rows per row group: small enough to decode one at a time. */
export const groupRows = 20_000

/** How a segment's rows are grouped, and which columns' groups have statistics (default: all). */
export type Grouping = { rows: number; bounded?: readonly string[] }

const entryType = new Struct<{ key: Utf8; value: Utf8 }>([
	new Field('key', new Utf8(), false),
	new Field('value', new Utf8(), true),
])
const mapType = new Map_<Utf8, Utf8>(new Field('key_value', entryType, false))

/**
 * Parquet bytes (zstd) of columns of `rows` rows each. A boolean column without any value is left out, which reads as NULL:
 * apache-arrow would write it without the buffer that the encoder insists on.
 */
export async function encodeSegment(
	all: SegmentColumn[],
	rows: number,
	grouping: Grouping = { rows: groupRows },
): Promise<Uint8Array> {
	const columns = all.filter(({ encoded }) => !DataType.isBool(encoded.data.type) || encoded.nullCount < rows)
	const schema = new Schema(columns.map(({ name, encoded }) => new Field(name, encoded.data.type, true)))
	const struct = makeData({
		type: new Struct(schema.fields),
		length: rows,
		nullCount: 0,
		children: columns.map(({ encoded }) => encoded.data),
	})
	const writer = new RecordBatchStreamWriter()
	writer.write(new RecordBatch(schema, struct))
	writer.finish()
	return await parquetOf(writer.toUint8Array(true), grouping)
}

/** Loaded on first use: the encoder is several megabytes of WebAssembly. */
async function parquetOf(stream: Uint8Array, { rows, bounded }: Grouping): Promise<Uint8Array> {
	const parquet = await import('parquet-wasm')
	let properties = new parquet.WriterPropertiesBuilder()
		.setCompression(parquet.Compression.ZSTD)
		.setMaxRowGroupSize(rows)
		.setCreatedBy('reprieve')
	if (bounded) {
		properties = properties.setStatisticsEnabled(parquet.EnabledStatistics.None)
		for (const name of bounded)
			properties = properties.setColumnStatisticsEnabled(name, parquet.EnabledStatistics.Chunk)
	}
	return parquet.writeParquet(parquet.Table.fromIPCStream(stream), properties.build())
}

/** A column of text maps; a row without a map is NULL. */
export function encodeMaps(rows: number, mapOf: (row: number) => Record<string, string | null> | null): Encoded {
	const nullBitmap = new Uint8Array((rows + 7) >> 3)
	const valueOffsets = new Int32Array(rows + 1)
	const keys: string[] = []
	const values: (string | null)[] = []
	let nullCount = 0
	for (let row = 0; row < rows; row++) {
		const map = mapOf(row)
		if (map === null) nullCount++
		else nullBitmap[row >> 3] = (nullBitmap[row >> 3] as number) | (1 << (row & 7))
		for (const [key, value] of Object.entries(map ?? {})) {
			keys.push(key)
			values.push(value)
		}
		valueOffsets[row + 1] = keys.length
	}
	const entries = entriesOf(keys, values)
	return {
		data: makeData({ type: mapType, length: rows, nullCount, nullBitmap, valueOffsets, child: entries }),
		nullCount,
		exact: [],
	}
}

function entriesOf(keys: string[], values: (string | null)[]): Data {
	return makeData({
		type: entryType,
		length: keys.length,
		nullCount: 0,
		children: [encodeStrings(keys).data, encodeStrings(values).data],
	})
}

/** A text column from strings; meant for the vault's own few and short values. */
export function encodeStrings(texts: readonly (string | null)[]): Encoded {
	const cells = new Map<string, Uint8Array>()
	const cellOf = (text: string) => {
		const known = cells.get(text)
		if (known) return known
		const bytes = Buffer.from(text)
		cells.set(text, bytes)
		return bytes
	}
	const nullBitmap = new Uint8Array((texts.length + 7) >> 3)
	const valueOffsets = new Int32Array(texts.length + 1)
	let nullCount = 0
	texts.forEach((text, row) => {
		if (text === null) nullCount++
		else nullBitmap[row >> 3] = (nullBitmap[row >> 3] as number) | (1 << (row & 7))
		valueOffsets[row + 1] = (valueOffsets[row] as number) + (text === null ? 0 : cellOf(text).length)
	})
	const data = new Uint8Array(valueOffsets[texts.length] as number)
	texts.forEach((text, row) => {
		if (text !== null) data.set(cellOf(text), valueOffsets[row])
	})
	const encoded = makeData({ type: new Utf8(), length: texts.length, nullCount, nullBitmap, valueOffsets, data })
	return { data: encoded, nullCount, bounds: boundsOf([...cells.values()]), exact: [] }
}

function boundsOf(cells: Uint8Array[]): { min: string; max: string } | undefined {
	const [first, ...rest] = cells.sort(Buffer.compare)
	if (first === undefined) return undefined
	const json = (bytes: Uint8Array) => JSON.stringify(Buffer.from(bytes).toString())
	return { min: json(first), max: json(rest.at(-1) ?? first) }
}
