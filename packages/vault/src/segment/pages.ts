import { Scratch } from './scratch.ts'
import { readThriftAt, type ThriftStruct } from './thrift.ts'
import { decompressTo } from './zstd.ts'

/** As parquet.thrift numbers them. */
const kinds = { data: 0, dictionary: 2 }
const encodings = { plain: 0, dictionary: 8 }
const header = { kind: 1, plainSize: 2, size: 3, data: 5, dictionary: 7 }
const body = { count: 1, encoding: 2 }

/** A page without its header: how many values it has, how they are written, and where among the bytes it lies. */
type Page = { kind: number; count: number; encoding: number; from: number; to: number }

/** Types of numbers that are laid out alike in Parquet and in memory. */
const numbers = { INT32: Int32Array, INT64: BigInt64Array, FLOAT: Float32Array, DOUBLE: Float64Array } as const

/**
 * What a chunk of a flat column holds: which rows have a value (absent: all), and where among the bytes those lie one behind the
 * other, or the one that they share.
 */
export type Plain = { present?: Uint8Array; from: number; to: number; isShared: boolean }

/** Written to by one caller at a time, from beginning to end without a pause. */
const scratch = new Scratch()

/** The values of a chunk, put behind what is written; undefined when it is not as chunk.ts writes it. */
export function readPlain(chunk: Uint8Array, rows: number, out: Scratch): Plain | undefined {
	const [first, ...rest] = pagesOf(chunk, out)
	const [dictionary, data] = rest.length === 0 ? [undefined, first] : [first, rest[0]]
	if (!data || rest.length > 1 || data.kind !== kinds.data || data.count !== rows) return undefined
	const levels = levelsAt(out.written, data.from)
	const present = readLevels(levels.bytes, rows)
	const isKnown = dictionary
		? dictionary.kind === kinds.dictionary && dictionary.count === 1 && data.encoding === encodings.dictionary
		: data.encoding === encodings.plain
	if (!isKnown) return undefined
	const { from, to } = dictionary ?? { from: levels.end, to: data.to }
	return { ...(present && { present }), from, to, isShared: dictionary !== undefined }
}

/**
 * The numbers of a chunk, NULL as undefined; undefined when it has other values, or is not as chunk.ts writes it. Throws a
 * RangeError where there are more or fewer than its levels say.
 */
export function readNumbers(
	chunk: Uint8Array,
	rows: number,
	type: string,
): ArrayLike<number | bigint | undefined> | undefined {
	scratch.reset()
	const plain = type in numbers ? readPlain(chunk, rows, scratch) : undefined
	if (!plain) return undefined
	const { present, from, to, isShared } = plain
	const Numbers = numbers[type as keyof typeof numbers]
	const own = new Numbers(Uint8Array.from(scratch.written.subarray(from, to)).buffer)
	const count = isShared ? 1 : (present?.reduce((sum, level) => sum + level, 0) ?? rows)
	if (own.length !== count) throw new RangeError(`a page has ${own.length} values, its levels say ${count}`)
	// The value is of the array's own type.
	if (!present) return isShared ? new Numbers(rows).fill(own[0] as never) : own
	let next = 0
	return Array.from({ length: rows }, (_, row) => (present[row] === 0 ? undefined : own[isShared ? 0 : next++]))
}

/** Whether a chunk has nothing but NULLs; `isNested`: it is a leaf of maps, whose levels stand behind those of repetition. */
export function isEmpty(chunk: Uint8Array, rows: number, { isNested }: { isNested: boolean }): boolean {
	scratch.reset()
	const [page, ...rest] = pagesOf(chunk, scratch)
	if (!page || rest.length > 0 || page.kind !== kinds.data || page.count !== rows) return false
	const start = isNested ? levelsAt(scratch.written, page.from).end : page.from
	const { bytes } = levelsAt(scratch.written, start)
	return isRunOf(0, bytes, rows) || (readLevels(bytes, rows)?.every((level) => level === 0) ?? false)
}

function pagesOf(chunk: Uint8Array, out: Scratch): Page[] {
	const pages: Page[] = []
	for (let at = 0; at < chunk.length; ) {
		const { struct, end } = readThriftAt(chunk, at)
		const numberAt = (fields: ThriftStruct, id: number) => Number(fields.get(id)?.value)
		const kind = numberAt(struct, header.kind)
		const own = struct.get(kind === kinds.data ? header.data : header.dictionary)?.value as ThriftStruct | undefined
		at = end + numberAt(struct, header.size)
		if (!own) return []
		const from = out.used
		decompressTo(out, chunk.subarray(end, at), numberAt(struct, header.plainSize))
		pages.push({ kind, count: numberAt(own, body.count), encoding: numberAt(own, body.encoding), from, to: out.used })
	}
	return pages
}

/** Levels behind their size. */
function levelsAt(bytes: Buffer, from: number): { bytes: Uint8Array; end: number } {
	const end = from + 4 + bytes.readUInt32LE(from)
	return { bytes: bytes.subarray(from + 4, end), end }
}

/** Levels of 0 and 1: runs of one of them, and bits in groups of eight; undefined where all are 1. */
function readLevels(bytes: Uint8Array, rows: number): Uint8Array | undefined {
	if (isRunOf(1, bytes, rows)) return undefined
	const levels = new Uint8Array(rows)
	let row = 0
	for (let at = 0; row < rows; ) {
		if (at >= bytes.length) throw new RangeError(`a page has levels of ${row} rows, the footer says ${rows}`)
		const head = readVarint(bytes, at)
		const count = Math.floor(head.value / 2)
		at = head.end
		if (head.value % 2 === 0) {
			levels.fill(bytes[at++] ?? 0, row, row + count)
			row += count
		} else {
			for (let bit = 0; bit < count * 8 && row < rows; bit++, row++)
				levels[row] = ((bytes[at + (bit >> 3)] ?? 0) >> (bit & 7)) & 1
			at += count
		}
	}
	return levels
}

/** Whether the levels are one run of the same, for so many rows. */
function isRunOf(level: number, bytes: Uint8Array, rows: number): boolean {
	const { value, end } = readVarint(bytes, 0)
	return value === rows * 2 && bytes[end] === level
}

function readVarint(bytes: Uint8Array, at: number): { value: number; end: number } {
	let value = 0
	let end = at
	for (let scale = 1, byte = 0x80; byte >= 0x80; scale *= 0x80) {
		byte = bytes[end++] ?? 0
		value += (byte & 0x7f) * scale
	}
	return { value, end }
}
