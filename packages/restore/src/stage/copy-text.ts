import type { ChangeRows, TextColumn } from '@reprieve/contracts'

const tab = 0x09
const lineFeed = 0x0a
const backslash = 0x5c
const capitalN = 0x4e
const chunkBytes = 256 * 1024
/** Room for the line with which a buffer is full: without it every buffer would be grown for that. */
const lineBytes = 16 * 1024

/** Second byte of the escape of each byte that COPY's text format escapes; 0 for the others. */
const escapes = new Uint8Array(256)
escapes[0x08] = 0x62
escapes[tab] = 0x74
escapes[lineFeed] = 0x6e
escapes[0x0b] = 0x76
escapes[0x0c] = 0x66
escapes[0x0d] = 0x72
escapes[backslash] = backslash

/** From so many bytes on it pays to look first whether any must be escaped. */
const longBytes = 1024
/** Up to so many bytes a loop is faster than a call that leaves JavaScript. */
const shortBytes = 32
const escaped = [...escapes.keys()].filter((byte) => escapes[byte] !== 0)

/** What stands before the archived columns in each line: PostgreSQL text per field, null for NULL. */
export type Leading = (row: number) => (string | null)[]

/**
 * COPY's text format for some rows of a chunk, straight from the byte spans: `leading` first, then the archived
 * columns whose indices are given. Yields buffers of about 256 KiB; each is the caller's own.
 */
export function* copyText(
	rows: ChangeRows,
	at: ArrayLike<number>,
	columns: number[],
	leading: Leading,
): Generator<Buffer> {
	let out = Buffer.allocUnsafe(chunkBytes + lineBytes)
	let end = 0
	const reserve = (bytes: number) => {
		if (end + bytes <= out.length) return
		const grown = Buffer.allocUnsafe(Math.max(out.length * 2, end + bytes))
		out.copy(grown, 0, 0, end)
		out = grown
	}
	const putEscaped = (bytes: Uint8Array, from: number, to: number) => {
		reserve((to - from) * 2)
		for (let i = from; i < to; i++) {
			const byte = bytes[i] as number
			const second = escapes[byte] as number
			if (second !== 0) out[end++] = backslash
			out[end++] = second === 0 ? byte : second
		}
	}
	const putPlain = (bytes: Buffer, from: number, to: number) => {
		reserve(to - from)
		if (to - from > shortBytes) end += bytes.copy(out, end, from, to)
		else for (let i = from; i < to; i++) out[end++] = bytes[i] as number
	}
	const text = (value: string) => {
		reserve(value.length * 2)
		const start = end
		for (let i = 0; i < value.length; i++) {
			const code = value.charCodeAt(i)
			if (code > 0x7f) {
				end = start
				const bytes = Buffer.from(value)
				return putEscaped(bytes, 0, bytes.length)
			}
			const second = escapes[code] as number
			if (second !== 0) out[end++] = backslash
			out[end++] = second === 0 ? code : second
		}
	}
	const begin = (isFirst: boolean, isNull: boolean) => {
		reserve(4)
		if (!isFirst) out[end++] = tab
		if (!isNull) return
		out[end++] = backslash
		out[end++] = capitalN
	}
	const sources = columns.map((index) => sourceOf(rows.columns[index]))
	for (let i = 0; i < at.length; i++) {
		const row = at[i] as number
		let isFirst = true
		for (const value of leading(row)) {
			begin(isFirst, value === null)
			if (value !== null) text(value)
			isFirst = false
		}
		for (let column = 0; column < sources.length; column++) {
			const { bytes, offsets, present, isPlain } = sources[column] as Source
			const isNull = present[row] !== 1
			begin(isFirst, isNull)
			isFirst = false
			if (isNull) continue
			const [from, to] = [offsets[row] as number, offsets[row + 1] as number]
			if (isPlain || (to - from > longBytes && !hasEscaped(bytes.subarray(from, to)))) putPlain(bytes, from, to)
			else putEscaped(bytes, from, to)
		}
		reserve(1)
		out[end++] = lineFeed
		if (end < chunkBytes) continue
		yield out.subarray(0, end)
		out = Buffer.allocUnsafe(chunkBytes + lineBytes)
		end = 0
	}
	if (end > 0) yield out.subarray(0, end)
}

/** A column's bytes as they are copied, and whether none of them has to be escaped. */
type Source = { bytes: Buffer; offsets: Uint32Array; present: Uint8Array; isPlain: boolean }

const absent: Source = {
	bytes: Buffer.alloc(0),
	offsets: new Uint32Array(0),
	present: new Uint8Array(0),
	isPlain: true,
}

function sourceOf(column: TextColumn | undefined): Source {
	if (!column) return absent
	const { buffer, byteOffset, byteLength } = column.bytes
	const bytes = Buffer.from(buffer, byteOffset, byteLength)
	return { bytes, offsets: column.offsets, present: column.present, isPlain: !hasEscaped(bytes) }
}

function hasEscaped(bytes: Uint8Array): boolean {
	return escaped.some((byte) => bytes.includes(byte))
}
