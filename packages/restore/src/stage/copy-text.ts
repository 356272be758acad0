import type { ChangeRows } from '@reprieve/contracts'

const tab = 0x09
const lineFeed = 0x0a
const backslash = 0x5c
const chunkBytes = 256 * 1024
const nothing = new Uint8Array(0)

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
	let out = Buffer.allocUnsafe(chunkBytes)
	let end = 0
	const reserve = (bytes: number) => {
		if (end + bytes <= out.length) return
		const grown = Buffer.allocUnsafe(Math.max(out.length * 2, end + bytes))
		out.copy(grown, 0, 0, end)
		out = grown
	}
	const put = (bytes: Uint8Array, from: number, to: number) => {
		reserve((to - from) * 2)
		if (to - from > longBytes && !hasEscaped(bytes.subarray(from, to))) {
			out.set(bytes.subarray(from, to), end)
			end += to - from
			return
		}
		for (let i = from; i < to; i++) {
			const byte = bytes[i] as number
			const second = escapes[byte] as number
			if (second !== 0) out[end++] = backslash
			out[end++] = second === 0 ? byte : second
		}
	}
	const text = (value: string) => {
		reserve(value.length * 2)
		const start = end
		for (let i = 0; i < value.length; i++) {
			const code = value.charCodeAt(i)
			const second = code > 0x7f ? undefined : (escapes[code] as number)
			if (second === undefined) {
				end = start
				const bytes = Buffer.from(value)
				return put(bytes, 0, bytes.length)
			}
			if (second !== 0) out[end++] = backslash
			out[end++] = second === 0 ? code : second
		}
	}
	const field = (bytes: Uint8Array | null, from: number, to: number, first: boolean) => {
		reserve(4)
		if (!first) out[end++] = tab
		if (bytes) put(bytes, from, to)
		else end += out.write('\\N', end, 'latin1')
	}
	for (let i = 0; i < at.length; i++) {
		const row = at[i] as number
		let first = true
		for (const value of leading(row)) {
			if (value === null) field(null, 0, 0, first)
			else {
				field(nothing, 0, 0, first)
				text(value)
			}
			first = false
		}
		for (const index of columns) {
			const column = rows.columns[index]
			const present = column && column.present[row] === 1
			field(present ? column.bytes : null, column?.offsets[row] ?? 0, column?.offsets[row + 1] ?? 0, first)
			first = false
		}
		reserve(1)
		out[end++] = lineFeed
		if (end < chunkBytes) continue
		yield out.subarray(0, end)
		out = Buffer.allocUnsafe(chunkBytes)
		end = 0
	}
	if (end > 0) yield out.subarray(0, end)
}

function hasEscaped(bytes: Uint8Array): boolean {
	return escaped.some((byte) => bytes.includes(byte))
}
