import { zstdDecompressSync } from 'node:zlib'
import { type FileMetaData, parquetMetadata, parquetScan } from 'hyparquet'

/** A Parquet file in memory, read column by column. */
export type ParquetFile = {
	groups: { start: number; end: number }[]
	columns: ReadonlySet<string>
	/** Values of one column in one row group; NULL is null or undefined, also of a column that the file lacks. */
	read(column: string, group: { start: number; end: number }): Promise<ArrayLike<unknown>>
	readAll(column: string): Promise<unknown[]>
}

const compressors = { ZSTD: (input: Uint8Array) => zstdDecompressSync(input) }

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
	const scanning = parquetScan({
		file: buffer,
		metadata,
		utf8: !isRaw,
		compressors,
		geoparquet: false,
		useOffsetIndex: false,
	})
	const read: ParquetFile['read'] = async (column, { start, end }) =>
		columns.has(column) ? (await scanning).readColumn({ column, rowStart: start, rowEnd: end }) : []
	return {
		groups,
		columns,
		read,
		async readAll(column) {
			const parts = await Promise.all(groups.map((group) => read(column, group)))
			return parts.flatMap((part) => Array.from(part))
		},
	}
}

function groupsOf({ row_groups }: FileMetaData): { start: number; end: number }[] {
	let end = 0
	return row_groups.map(({ num_rows }) => {
		const start = end
		end += Number(num_rows)
		return { start, end }
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

function wholeBuffer(bytes: Uint8Array): ArrayBuffer {
	const isWhole = bytes.byteOffset === 0 && bytes.byteLength === bytes.buffer.byteLength
	return (isWhole ? bytes.buffer : new Uint8Array(bytes).buffer) as ArrayBuffer
}
