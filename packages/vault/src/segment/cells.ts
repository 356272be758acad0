import type { TextColumn } from '@reprieve/contracts'

/** Collects the cells of one text column. */
export type CellBuilder = {
	push(cell: string | Uint8Array | null): void
	append(cells: TextColumn): void
	/** So many rows without a value. */
	skip(rows: number): void
	/** Valid until a restart. */
	finish(): TextColumn
	/** Begins another column in the same memory. */
	restart(): void
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
		append(cells) {
			const rows = cells.present.length
			const size = cells.offsets[rows] as number
			reserve(size)
			bytes.set(cells.bytes.subarray(0, size), used)
			present.set(cells.present, row)
			for (let at = 1; at <= rows; at++) offsets[row + at] = used + (cells.offsets[at] as number)
			row += rows
			used += size
		},
		skip(rows) {
			offsets.fill(used, row + 1, row + rows + 1)
			row += rows
		},
		finish: () => ({ bytes: bytes.subarray(0, used), offsets, present }),
		restart() {
			used = 0
			row = 0
			present.fill(0)
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

/** Puts up to `rows` cells of a column in another order; every answer lies in the same memory, valid until the next. */
export function cellSorter(rows: number): (cells: TextColumn, order: Uint32Array) => TextColumn {
	const [ends, presence] = [new Uint32Array(rows + 1), new Uint8Array(rows)]
	let room = Buffer.alloc(0)
	return ({ bytes, offsets, present }, order) => {
		let size = 0
		for (let at = 0; at < order.length; at++) {
			const row = order[at] as number
			size += (offsets[row + 1] as number) - (offsets[row] as number)
			ends[at + 1] = size
			presence[at] = present[row] as number
		}
		if (size > room.length) room = Buffer.allocUnsafeSlow(size)
		for (let at = 0; at < order.length; at++) {
			const row = order[at] as number
			copyBytes(bytes, offsets[row] as number, offsets[row + 1] as number, room, ends[at] as number)
		}
		const [sortedOffsets, sortedPresent] = [ends.subarray(0, order.length + 1), presence.subarray(0, order.length)]
		return { bytes: room.subarray(0, size), offsets: sortedOffsets, present: sortedPresent }
	}
}

function copyBytes(source: Uint8Array, from: number, to: number, target: Buffer, at: number): void {
	if (to - from > shortLength) target.set(source.subarray(from, to), at)
	else for (let byte = from; byte < to; byte++) target[at + byte - from] = source[byte] as number
}

/** A text column from strings. */
export function cellsOf(texts: readonly (string | null)[]): TextColumn {
	const builder = buildCells(texts.length)
	for (const text of texts) builder.push(text)
	return builder.finish()
}
