import type { TextColumn } from '@reprieve/contracts'

/** Collects the cells of one text column. */
export type CellBuilder = {
	/** A number is a whole one up to 53 bits. */
	push(cell: string | Uint8Array | number | null): void
	finish(): TextColumn
	/** Pushes the cell whose UTF-8 lies between two places of other bytes. */
	copy(source: Uint8Array, from: number, to: number): void
}

/** Offsets have 32 bits. */
const mostBytes = 2 ** 32 - 1

/** A builder for `rows` cells; its buffer has room for `size` bytes and grows as cells come. Throws a RangeError beyond 4 GiB of them. */
export function buildCells(rows: number, size = Math.max(64, rows * 16)): CellBuilder {
	const offsets = new Uint32Array(rows + 1)
	const present = new Uint8Array(rows)
	let bytes = Buffer.allocUnsafe(Math.min(size, mostBytes))
	let used = 0
	let row = 0
	const reserve = (more: number) => {
		if (used + more <= bytes.length) return
		if (used + more > mostBytes) throw new RangeError(`${rows} values read at once have more than 4 GiB together`)
		const larger = Buffer.allocUnsafe(Math.min(mostBytes, Math.max(bytes.length * 2, used + more)))
		bytes.copy(larger, 0, 0, used)
		bytes = larger
	}
	const write = (cell: string | Uint8Array | number) => {
		if (typeof cell === 'number') {
			reserve(mostDigits)
			used += writeWhole(bytes, cell, used)
			return
		}
		reserve(typeof cell === 'string' ? cell.length * 3 : cell.length)
		used += typeof cell === 'string' ? writeText(bytes, cell, used) : writeBytes(bytes, cell, used)
	}
	return {
		push(cell) {
			if (cell !== null) {
				write(cell)
				present[row] = 1
			}
			row++
			offsets[row] = used
		},
		finish: () => ({ bytes: bytes.subarray(0, used), offsets, present }),
		copy(source, from, to) {
			reserve(to - from)
			if (to - from > shortLength) bytes.set(source.subarray(from, to), used)
			else for (let at = from; at < to; at++) bytes[used + at - from] = source[at] as number
			used += to - from
			present[row] = 1
			row++
			offsets[row] = used
		},
	}
}

/** Up to this size a loop is faster than a call that leaves JavaScript. */
const shortLength = 64

function writeBytes(target: Buffer, cell: Uint8Array, at: number): number {
	if (cell.length > shortLength) target.set(cell, at)
	else for (let byte = 0; byte < cell.length; byte++) target[at + byte] = cell[byte] as number
	return cell.length
}

/** Writes as UTF-8; answers the bytes written. */
function writeText(target: Buffer, text: string, at: number): number {
	if (text.length > shortLength) return target.write(text, at)
	for (let char = 0; char < text.length; char++) {
		const code = text.charCodeAt(char)
		if (code > 127) return target.write(text, at)
		target[at + char] = code
	}
	return text.length
}

/** With a minus. */
const mostDigits = 17

const billion = 1_000_000_000

/** Writes the digits of a whole number; answers how many bytes. */
function writeWhole(target: Buffer, whole: number, at: number): number {
	if (whole < 0) target[at] = 45
	const first = whole < 0 ? at + 1 : at
	const size = Math.abs(whole)
	if (size < billion) return writeDigits(target, size, endOf(size, first)) - at
	const high = Math.floor(size / billion)
	const middle = endOf(high, first)
	writeDigits(target, high, middle)
	const low = size - high * billion
	target.fill(48, middle, middle + 9)
	return writeDigits(target, low, middle + 9) - at
}

/** Where the digits of a number below a billion end. */
function endOf(value: number, at: number): number {
	let end = at + 1
	for (let limit = 10; limit <= value; limit *= 10) end++
	return end
}

/** Writes the digits of a number below a billion up to `end`; answers it. */
function writeDigits(target: Buffer, value: number, end: number): number {
	let left = value
	let place = end
	do {
		const rest = (left / 10) | 0
		target[--place] = 48 + left - rest * 10
		left = rest
	} while (left > 0)
	return end
}

/** A text column from strings. */
export function cellsOf(texts: readonly (string | null)[]): TextColumn {
	const builder = buildCells(texts.length)
	for (const text of texts) builder.push(text)
	return builder.finish()
}

/** A column of nothing but NULLs. */
export function nullsOf(rows: number): TextColumn {
	return { bytes: new Uint8Array(0), offsets: new Uint32Array(rows + 1), present: new Uint8Array(rows) }
}
