import type { TextColumn } from '@reprieve/contracts'

/** Collects the cells of one text column. */
export type CellBuilder = { push(cell: string | Uint8Array | null): void; finish(): TextColumn }

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
	const append = (cell: string | Uint8Array) => {
		if (typeof cell === 'string') {
			reserve(cell.length * 3)
			used += bytes.write(cell, used)
		} else {
			reserve(cell.length)
			bytes.set(cell, used)
			used += cell.length
		}
	}
	return {
		push(cell) {
			if (cell !== null) {
				append(cell)
				present[row] = 1
			}
			row++
			offsets[row] = used
		},
		finish: () => ({ bytes: bytes.subarray(0, used), offsets, present }),
	}
}

/** A text column from strings. */
export function cellsOf(texts: readonly (string | null)[]): TextColumn {
	const builder = buildCells(texts.length)
	for (const text of texts) builder.push(text)
	return builder.finish()
}
