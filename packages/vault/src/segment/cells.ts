import type { TextColumn } from '@reprieve/contracts'

/** Collects the cells of one text column. */
export type CellBuilder = {
	push(cell: string | Uint8Array | null): void
	finish(): TextColumn
	/** Pushes the cell whose UTF-8 lies between two places of other bytes. */
	copy(source: Uint8Array, from: number, to: number): void
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
	const write = (cell: string | Uint8Array) => {
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

/** A text column from strings. */
export function cellsOf(texts: readonly (string | null)[]): TextColumn {
	const builder = buildCells(texts.length)
	for (const text of texts) builder.push(text)
	return builder.finish()
}
