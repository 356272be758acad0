import type { TextColumn } from '@reprieve/contracts'
import { readThriftAt, type ThriftStruct } from './thrift.ts'
import { decompress } from './zstd.ts'

/** As parquet.thrift numbers them. */
const kinds = { data: 0, dictionary: 2 }
const encodings = { plain: 0, dictionary: 8 }
const header = { kind: 1, plainSize: 2, size: 3, data: 5, dictionary: 7 }
const body = { count: 1, encoding: 2 }

/** A page without its header: how many values it has, how they are written, and what it holds. */
type Page = { kind: number; count: number; encoding: number; plain: Buffer }

/** Types of numbers that are laid out alike in Parquet and in memory. */
const numbers = { INT32: Int32Array, INT64: BigInt64Array, FLOAT: Float32Array, DOUBLE: Float64Array } as const

/** What a chunk of a flat column holds: which rows have a value, and the values of those, or the one that they share. */
type Values = { present: Uint8Array; plain: Buffer; isShared: boolean }

/** The texts of a chunk, without an object for each; undefined when it is not as chunk.ts writes it. */
export function readTexts(chunk: Uint8Array, rows: number): TextColumn | undefined {
	const values = valuesOf(chunk, rows)
	if (!values) return undefined
	const { present, plain, isShared } = values
	return isShared ? sharedTexts(plain.subarray(4), present) : plainTexts(plain, present)
}

/** The numbers of a chunk, NULL as undefined; undefined when it has other values, or is not as chunk.ts writes it. */
export function readNumbers(
	chunk: Uint8Array,
	rows: number,
	type: string,
): ArrayLike<number | bigint | undefined> | undefined {
	const values = type in numbers ? valuesOf(chunk, rows) : undefined
	if (!values) return undefined
	const { present, plain, isShared } = values
	const own = new numbers[type as keyof typeof numbers](Uint8Array.from(plain).buffer)
	if (!isShared && !present.includes(0)) return own
	let next = 0
	return Array.from(present, (level) => (level === 0 ? undefined : own[isShared ? 0 : next++]))
}

/** Of a page behind a dictionary of one value that its rows share, or of a page without a dictionary. */
function valuesOf(chunk: Uint8Array, rows: number): Values | undefined {
	const [first, ...rest] = pagesOf(chunk)
	const [dictionary, data] = rest.length === 0 ? [undefined, first] : [first, rest[0]]
	if (!data || rest.length > 1 || data.kind !== kinds.data || data.count !== rows) return undefined
	const levels = data.plain.readUInt32LE()
	const present = readLevels(data.plain.subarray(4, 4 + levels), rows)
	if (!dictionary)
		return data.encoding === encodings.plain
			? { present, plain: data.plain.subarray(4 + levels), isShared: false }
			: undefined
	const isShared = dictionary.kind === kinds.dictionary && dictionary.count === 1
	return isShared && data.encoding === encodings.dictionary ? { present, plain: dictionary.plain, isShared } : undefined
}

/** Whether a chunk has nothing but NULLs; `isNested`: it is a leaf of maps, whose levels stand behind those of repetition. */
export function isEmpty(chunk: Uint8Array, rows: number, { isNested }: { isNested: boolean }): boolean {
	const [page, ...rest] = pagesOf(chunk)
	if (!page || rest.length > 0 || page.kind !== kinds.data || page.count !== rows) return false
	const start = isNested ? 4 + page.plain.readUInt32LE() : 0
	const levels = page.plain.subarray(start + 4, start + 4 + page.plain.readUInt32LE(start))
	return readLevels(levels, rows).every((level) => level === 0)
}

function pagesOf(chunk: Uint8Array): Page[] {
	const pages: Page[] = []
	for (let at = 0; at < chunk.length; ) {
		const { struct, end } = readThriftAt(chunk, at)
		const numberAt = (fields: ThriftStruct, id: number) => Number(fields.get(id)?.value)
		const kind = numberAt(struct, header.kind)
		const own = struct.get(kind === kinds.data ? header.data : header.dictionary)?.value as ThriftStruct | undefined
		at = end + numberAt(struct, header.size)
		if (!own) return []
		const { buffer, byteOffset, length } = decompress(chunk.subarray(end, at), numberAt(struct, header.plainSize))
		const plain = Buffer.from(buffer, byteOffset, length)
		pages.push({ kind, count: numberAt(own, body.count), encoding: numberAt(own, body.encoding), plain })
	}
	return pages
}

/** Levels of 0 and 1: runs of one of them, and bits in groups of eight. */
function readLevels(bytes: Uint8Array, rows: number): Uint8Array {
	const levels = new Uint8Array(rows)
	let row = 0
	for (let at = 0; row < rows; ) {
		if (at >= bytes.length) throw new RangeError(`a page has levels of ${row} rows, the footer says ${rows}`)
		let head = 0
		for (let shift = 1, byte = 0x80; byte >= 0x80; shift *= 0x80) {
			byte = bytes[at++] ?? 0
			head += (byte & 0x7f) * shift
		}
		const count = Math.floor(head / 2)
		if (head % 2 === 0) {
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

function plainTexts(values: Buffer, present: Uint8Array): TextColumn {
	const offsets = new Uint32Array(present.length + 1)
	const bytes = Buffer.allocUnsafe(values.length)
	let [read, used] = [0, 0]
	for (let row = 0; row < present.length; row++) {
		if (present[row] === 1) {
			const size = values.readUInt32LE(read)
			read += 4
			if (size > 64) bytes.set(values.subarray(read, read + size), used)
			else for (let byte = 0; byte < size; byte++) bytes[used + byte] = values[read + byte] as number
			read += size
			used += size
		}
		offsets[row + 1] = used
	}
	return { bytes: bytes.subarray(0, used), offsets, present }
}

function sharedTexts(value: Uint8Array, present: Uint8Array): TextColumn {
	const offsets = new Uint32Array(present.length + 1)
	for (let row = 0; row < present.length; row++)
		offsets[row + 1] = (offsets[row] as number) + (present[row] === 1 ? value.length : 0)
	return { bytes: Buffer.alloc(offsets[present.length] as number, value), offsets, present }
}
