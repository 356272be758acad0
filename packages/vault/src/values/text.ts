import { isUtf8 } from 'node:buffer'
import { ReprieveError, type TextColumn } from '@reprieve/contracts'
import { asciiText, type Codec, isText, takeEach } from './codec.ts'
import { hexBytes, writeHex } from './hex.ts'
import { spansOf } from './native.ts'

/** Any type as its PostgreSQL text, byte for byte. Throws INVALID for bytes that are not UTF-8. */
export const stringCodec: Codec = {
	encode(column, start, end) {
		const { nullBitmap, nullCount } = takeEach(column, start, end, () => true)
		const base = column.offsets[start] as number
		const offsets = column.offsets.subarray(start, end + 1).map((offset) => offset - base)
		const data = column.bytes.subarray(base, column.offsets[end])
		if (!isUtf8(data)) throw notUtf8()
		return {
			data: { type: 'string', nullBitmap, spans: spansOf(offsets), values: data },
			nullCount,
			exact: [],
		}
	},
	decode: (cell) => cell as Uint8Array,
	json: JSON.stringify,
}

/** bytea in hex output; any other spelling stays text. */
export const binaryCodec: Codec = {
	encode(column, start, end) {
		const length = (column.offsets[end] as number) - (column.offsets[start] as number)
		const data = Buffer.alloc(Math.floor(length / 2) + 1)
		const offsets = new Uint32Array(end - start + 1)
		let used = 0
		const { nullBitmap, nullCount, exact } = takeEach(column, start, end, (from, to, row) => {
			const size = decodeHex(column.bytes, from, to, data, used)
			if (size < 0) return false
			used += size
			offsets[row + 1] = used
			return true
		})
		carryForward(offsets)
		return { data: { type: 'binary', nullBitmap, spans: spansOf(offsets), values: data }, nullCount, exact }
	},
	decode: (cell) => hexText(cell as Uint8Array),
}

/** boolean. */
export const booleanCodec: Codec = {
	encode(column, start, end) {
		const data = new Uint8Array((end - start + 7) >> 3)
		const { nullBitmap, nullCount, exact } = takeEach(column, start, end, (from, to, row) => {
			const isTrue = isText(column.bytes, from, to, 't')
			if (!isTrue && !isText(column.bytes, from, to, 'f')) return false
			if (isTrue) data[row >> 3] = (data[row >> 3] as number) | (1 << (row & 7))
			return true
		})
		return { data: { type: 'boolean', nullBitmap, values: data }, nullCount, exact }
	},
	decode: (cell) => (cell ? 't' : 'f'),
	json: String,
}

/** Offsets of rows without a value repeat the one before. */
function carryForward(offsets: Uint32Array): void {
	for (let row = 1; row < offsets.length; row++)
		if ((offsets[row] as number) < (offsets[row - 1] as number)) offsets[row] = offsets[row - 1] as number
}

function hexText(cell: Uint8Array): string | Uint8Array {
	const bytes = Buffer.from(cell.buffer, cell.byteOffset, cell.byteLength)
	if (bytes.length <= hexBytes) return `\\x${bytes.toString('hex')}`
	const text = Buffer.allocUnsafeSlow(2 + bytes.length * 2)
	writeHex(bytes, text, 0)
	return text
}

/** Decodes `\x` and lower-case hex into `target`; answers the size, or -1 for any other spelling. */
function decodeHex(bytes: Uint8Array, from: number, to: number, target: Buffer, at: number): number {
	if ((to - from) % 2 !== 0 || !isText(bytes, from, from + 2, '\\x') || to - from < 2) return -1
	if (to - from > hexBytes) return decodeLongHex(bytes, from + 2, to, target, at)
	for (let source = from + 2, out = at; source < to; source += 2, out++) {
		const high = hexDigit(bytes[source] as number)
		const low = hexDigit(bytes[source + 1] as number)
		if (high < 0 || low < 0) return -1
		target[out] = (high << 4) | low
	}
	return (to - from - 2) / 2
}

/** By Node's own decoder, which knows capitals too: what it took must read back the same. */
function decodeLongHex(bytes: Uint8Array, from: number, to: number, target: Buffer, at: number): number {
	let out = at
	for (let source = from; source < to; source += hexBytes) {
		const text = asciiText(bytes, source, Math.min(source + hexBytes, to))
		const written = target.write(text, out, 'hex')
		if (target.toString('hex', out, out + written) !== text) return -1
		out += written
	}
	return out - at
}

function hexDigit(char: number): number {
	if (char >= 48 && char <= 57) return char - 48
	return char >= 97 && char <= 102 ? char - 87 : -1
}

/** One cell as a string; it must be present. */
export function cellText(column: TextColumn, row: number): string {
	const from = column.offsets[row] as number
	const length = (column.offsets[row + 1] as number) - from
	return Buffer.from(column.bytes.buffer, column.bytes.byteOffset + from, length).toString()
}

function notUtf8(): ReprieveError {
	return new ReprieveError('INVALID', 'a text value is not UTF-8', {
		hint: 'The database must not be SQL_ASCII, and client_encoding must be UTF8.',
	})
}
