import type { Extremes } from './native.ts'

/** Where a text lies, and the row that has it. */
type Found = { row: number; from: number; to: number; head: number }

const headBytes = 4

/** Finds the rows of the least and the greatest text, in the order of their bytes, of texts that come one by one. */
export class TextExtremes {
	readonly #least: Found = { row: -1, from: 0, to: 0, head: Number.POSITIVE_INFINITY }
	readonly #greatest: Found = { row: -1, from: 0, to: 0, head: Number.NEGATIVE_INFINITY }

	/** Of texts before it, the bytes must lie in the same place of every view. */
	add(bytes: DataView, row: number, from: number, to: number): void {
		const head = headOf(bytes, from, to)
		const [least, greatest] = [this.#least, this.#greatest]
		if (head <= least.head && (head < least.head || compareTexts(bytes, from, to, least.from, least.to) < 0))
			put(least, { row, from, to, head })
		if (
			head >= greatest.head &&
			(head > greatest.head || compareTexts(bytes, from, to, greatest.from, greatest.to) > 0)
		)
			put(greatest, { row, from, to, head })
	}

	/** Undefined where no text came. */
	finish(): Extremes | undefined {
		return this.#least.row < 0 ? undefined : { min: this.#least.row, max: this.#greatest.row }
	}
}

function put(found: Found, { row, from, to, head }: Found): void {
	found.row = row
	found.from = from
	found.to = to
	found.head = head
}

/** Of two texts, the lesser one's is not greater. */
function headOf(bytes: DataView, from: number, to: number): number {
	if (to - from >= headBytes) return bytes.getUint32(from)
	let head = 0
	for (let at = from; at < from + headBytes; at++) head = head * 256 + (at < to ? bytes.getUint8(at) : 0)
	return head
}

/** Order of two texts by their bytes, which is how Delta readers compare them. */
export function compareTexts(bytes: DataView, fromA: number, toA: number, fromB: number, toB: number): number {
	if (fromA === fromB) return toA - toB
	const shared = Math.min(toA - fromA, toB - fromB)
	let at = 0
	for (; at + headBytes <= shared; at += headBytes) {
		const difference = bytes.getUint32(fromA + at) - bytes.getUint32(fromB + at)
		if (difference !== 0) return difference
	}
	for (; at < shared; at++) {
		const difference = bytes.getUint8(fromA + at) - bytes.getUint8(fromB + at)
		if (difference !== 0) return difference
	}
	return toA - fromA - (toB - fromB)
}
