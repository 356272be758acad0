import { type FileMetaData, parquetMetadata, parquetScan } from 'hyparquet'
import { writerName } from './footer.ts'
import { isEmpty, type Plain, readNumbers, readPlain } from './pages.ts'
import type { Scratch } from './scratch.ts'
import { decompress } from './zstd.ts'

/** Its rows, and the bytes of its values uncompressed. */
type Group = { start: number; end: number; plainBytes: number }

/** A Parquet file in memory, read column by column; it keeps nothing of what it read. */
export type ParquetFile = {
	groups: Group[]
	columns: ReadonlySet<string>
	/** Values of one column in one row group; NULL is null or undefined, and none at all where all are. */
	read(column: string, group: Group): Promise<ArrayLike<unknown>>
	/** The same of a flat column as bytes, put behind what is written; undefined where the file does not have it in that form. */
	plain(column: string, group: Group, out: Scratch): Plain | undefined
	readAll(column: string): Promise<unknown[]>
}

const compressors = { ZSTD: decompress }

/** Chunks up to this size may hold nothing but NULLs. */
const emptyBytes = 128

/**
 * Opens Parquet bytes. `isRaw`, the default, hands out the physical values of plain columns: whole numbers, byte arrays and
 * unscaled decimals as they lie in the file, without a conversion that could round.
 */
export function openParquet(bytes: Uint8Array, { isRaw = true } = {}): ParquetFile {
	const buffer = wholeBuffer(bytes)
	const metadata = parquetMetadata(buffer)
	const columns = new Set(topLevel(metadata).map(({ name }) => name))
	if (isRaw) for (const element of topLevel(metadata)) unannotate(element)
	const groups = groupsOf(metadata)
	const isOurs = isRaw && metadata.created_by === writerName
	const read: ParquetFile['read'] = async (column, group) => {
		if (!columns.has(column)) return []
		const own = only(metadata, column, groups.indexOf(group))
		const rows = group.end - group.start
		const known = isOurs ? readOurs(buffer, chunksOf(own), rows) : undefined
		if (known) return known
		const options = { utf8: !isRaw, compressors, geoparquet: false, useOffsetIndex: false }
		const scan = await parquetScan({ file: buffer, metadata: own, ...options })
		return scan.readColumn({ column, rowStart: 0, rowEnd: rows })
	}
	return {
		groups,
		columns,
		read,
		plain(column, group, out) {
			if (!isOurs || !columns.has(column)) return undefined
			const [chunk, ...others] = chunksOf(only(metadata, column, groups.indexOf(group)))
			const isFlat = chunk && others.length === 0
			return isFlat ? readPlain(bytesOf(buffer, chunk), group.end - group.start, out) : undefined
		},
		async readAll(column) {
			const parts = await Promise.all(
				groups.map(async (group) => {
					const values = await read(column, group)
					return Array.from({ length: group.end - group.start }, (_, row) => values[row])
				}),
			)
			return parts.flat()
		},
	}
}

/** What the metadata says of one column in one row group: a read goes through all that it is given. */
function only({ schema, row_groups, ...metadata }: FileMetaData, column: string, group: number): FileMetaData {
	let at = 1
	while (schema[at]?.name !== column) at = afterSubtree(schema, at)
	const { columns, ...rowGroup } = row_groups[group] as FileMetaData['row_groups'][number]
	return {
		...metadata,
		schema: [{ ...(schema[0] as Element), num_children: 1 }, ...schema.slice(at, afterSubtree(schema, at))],
		row_groups: [{ ...rowGroup, columns: columns.filter(({ meta_data }) => meta_data?.path_in_schema[0] === column) }],
	}
}

/** Of a file that chunk.ts wrote: numbers, and a column of nothing but NULLs, without an object for each. */
function readOurs(buffer: ArrayBuffer, chunks: readonly Chunk[], rows: number): ArrayLike<unknown> | undefined {
	const [chunk, ...others] = chunks
	const isNested = others.length > 0
	const numbers = chunk && !isNested ? readNumbers(bytesOf(buffer, chunk), rows, chunk.type) : undefined
	if (numbers) return numbers
	const isNothing = (one: Chunk) => one.plainSize <= emptyBytes && isEmpty(bytesOf(buffer, one), rows, { isNested })
	return chunks.every(isNothing) ? [] : undefined
}

type Chunk = { start: number; end: number; type: string; plainSize: number }

/** The chunks of every leaf. */
function chunksOf({ row_groups }: FileMetaData): Chunk[] {
	return row_groups.flatMap(({ columns }) =>
		columns.flatMap(({ meta_data }) => {
			if (!meta_data) return []
			const { type, dictionary_page_offset, data_page_offset } = meta_data
			const start = Number(dictionary_page_offset || data_page_offset)
			const end = start + Number(meta_data.total_compressed_size)
			return [{ start, end, type, plainSize: Number(meta_data.total_uncompressed_size) }]
		}),
	)
}

function bytesOf(buffer: ArrayBuffer, { start, end }: Chunk): Uint8Array {
	return new Uint8Array(buffer, start, end - start)
}

function groupsOf({ row_groups }: FileMetaData): Group[] {
	let end = 0
	return row_groups.map(({ num_rows, total_byte_size }) => {
		const start = end
		end += Number(num_rows)
		return { start, end, plainBytes: Number(total_byte_size) }
	})
}

type Element = FileMetaData['schema'][number]

/** Children of the root; the schema is a tree in preorder. */
function topLevel({ schema }: FileMetaData): Element[] {
	const found: Element[] = []
	for (let at = 1; at < schema.length; at = afterSubtree(schema, at)) found.push(schema[at] as Element)
	return found
}

function afterSubtree(schema: Element[], at: number): number {
	let next = at + 1
	for (let child = schema[at]?.num_children ?? 0; child > 0; child--) next = afterSubtree(schema, next)
	return next
}

function unannotate(element: Element): void {
	if (element.type === undefined) return
	delete element.converted_type
	delete element.logical_type
}

/** A copy where the bytes are a part of a larger buffer; `slice` of a Buffer would still be a part. */
function wholeBuffer(bytes: Uint8Array): ArrayBuffer {
	const isWhole = bytes.byteOffset === 0 && bytes.byteLength === bytes.buffer.byteLength
	return (isWhole ? bytes.buffer : new Uint8Array(bytes).buffer) as ArrayBuffer
}
