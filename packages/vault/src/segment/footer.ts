import type { Chunk } from './chunk.ts'
import type { EncodedColumn } from './encode.ts'
import { ordersOf, schemaOf } from './schema.ts'
import { i32, i64, list, struct, type ThriftStruct, type ThriftValue, text, writeThrift, written } from './thrift.ts'

/** By which a file of ours says who wrote it. */
export const writerName = 'reprieve'

/** A Parquet file begins and ends with it. */
export const magic = Buffer.from('PAR1')

/** The chunks of every row group. */
export function groupsOf(columns: readonly EncodedColumn[]): Chunk[][] {
	const count = columns[0]?.groups.length ?? 0
	return Array.from({ length: count }, (_, group) => columns.flatMap(({ groups }) => groups[group] as Chunk[]))
}

/** What a footer says of a row group whose pages begin at byte `at`. */
export function groupOf(
	chunks: readonly Chunk[],
	{ at, rows, hasStatistics = true }: { at: number; rows: number; hasStatistics?: boolean },
): ThriftStruct {
	let offset = at
	const columns = chunks.map((chunk) => {
		const meta = placedMeta(chunk, { offset, hasStatistics })
		offset += chunk.size
		return struct([
			[2, i64(0)],
			[3, { kind: 12, value: meta }],
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

function placedMeta(
	{ meta, dictionarySize, statistics }: Chunk,
	{ offset, hasStatistics }: { offset: number; hasStatistics: boolean },
): ThriftStruct {
	const placed = new Map(meta).set(9, i64(offset + dictionarySize))
	if (dictionarySize > 0) placed.set(11, i64(offset))
	if (hasStatistics && statistics) placed.set(12, statistics)
	return placed
}

/** Writes what a file ends with behind its row groups: the footer, its size and the mark. */
export function tailWriter(columns: readonly EncodedColumn[]): (groups: ThriftStruct[], rows: number) => Buffer {
	const leaves = columns.reduce((sum, { type }) => sum + (type === 'map' ? 2 : 1), 0)
	const schema = written(list(12, schemaOf(columns).map(struct)))
	const orders = written(ordersOf(leaves))
	return (groups, rows) => {
		const footer = writeThrift(
			new Map<number, ThriftValue>([
				[1, i32(1)],
				[2, schema],
				[3, i64(rows)],
				[4, list(12, groups.map(struct))],
				[6, text(writerName)],
				[7, orders],
			]),
		)
		const size = Buffer.alloc(4)
		size.writeUInt32LE(footer.length)
		return Buffer.concat([footer, size, magic])
	}
}
