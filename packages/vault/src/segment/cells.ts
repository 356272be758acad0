import type { TextColumn } from '@reprieve/contracts'

/** Collects the cells of one text column. */
export type CellBuilder = {
	/** A number is a whole one up to 53 bits. */
	push(cell: string | Uint8Array | number | null): void
	finish(): TextColumn
}

/** A builder for `rows` cells; its buffer grows as cells come. */
export function buildCells(rows: number): CellBuilder {
	const offsets = new Uint32Array(rows + 1)
	const present = new Uint8Array(rows)
	let bytes = Buffer.allocUnsafe(Math.max(64, rows * 16))
	let used = 0
	let row = 0
	const reserve = (size: number) => {
		if (used + size <= bytes.length) return
		const larger = Buffer.allocUnsafe(Math.max(bytes.length * 2, used + size))
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
	const [first, size] = whole < 0 ? [at + 1, -whole] : [at, whole]
	if (size < billion) return writeDigits(target, size, { at: first, least: 1 }) - at
	const high = Math.floor(size / billion)
	const middle = writeDigits(target, high, { at: first, least: 1 })
	return writeDigits(target, size - high * billion, { at: middle, least: 9 }) - at
}

/** Writes at least so many digits of a number below a billion; answers where they end. */
function writeDigits(target: Buffer, value: number, { at, least }: { at: number; least: number }): number {
	let end = at + 1
	for (let limit = 10; limit <= value || end - at < least; limit *= 10) end++
	for (let place = end - 1, left = value; place >= at; place--) {
		const rest = (left / 10) | 0
		target[place] = 48 + left - rest * 10
		left = rest
	}
	return end
}

/** A text column from strings. */
export function cellsOf(texts: readonly (string | null)[]): TextColumn {
	const builder = buildCells(texts.length)
	for (const text of texts) builder.push(text)
	return builder.finish()
}
