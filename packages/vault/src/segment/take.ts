import type { DeltaType, Encoded } from '../values/codec.ts'
import { decimalWords, type NativeValues, viewOf } from '../values/native.ts'
import { TextExtremes } from '../values/text-extremes.ts'
import type { Plain } from './pages.ts'
import type { Room } from './room.ts'
import { typeOf } from './schema.ts'
import type { Scratch } from './scratch.ts'

/** Takes values from where they lie in pages to the places of their rows. */
export type Taker = {
	/** Rows whose place is beyond the last one are left out. Throws a RangeError where the page has other than their values. */
	take(plain: Plain, places: Uint32Array): void
	/** Whether what was taken lies in the pages still. */
	staysInPages: boolean
	finish(): Encoded
}

/** Where values come from, and where they go. */
export type Memory = { pages: Scratch; room: Room }

/** Puts the values at `from`, one for each place, or one for all of them; answers where they end. */
type Put = (places: Uint32Array, values: { from: number; isShared: boolean }) => number

/** A taker of values that lie in `pages`, to places in `room`. */
export function takerOf(type: DeltaType, rows: number, { pages, room }: Memory): Taker {
	const nullBitmap = new Uint8Array(room.take((rows + 7) >> 3), 0, (rows + 7) >> 3).fill(0xff)
	if (rows % 8 > 0) nullBitmap[rows >> 3] = (1 << (rows % 8)) - 1
	const { put, finish } = putterOf(type, rows, { pages, room })
	let nullCount = 0
	return {
		staysInPages: typeOf(type).physical === 'BYTE_ARRAY',
		take({ present, from, to, isShared }, places) {
			const taken = present ? new Uint32Array(places.length) : places
			let count = 0
			for (let row = 0; present && row < places.length; row++) {
				const place = places[row] as number
				if (present[row] === 1) taken[count++] = place
				else if (place < rows) {
					nullBitmap[place >> 3] = (nullBitmap[place >> 3] as number) & ~(1 << (place & 7))
					nullCount++
				}
			}
			const end = put(present ? taken.subarray(0, count) : taken, { from, isShared })
			if (end !== to)
				throw new RangeError(
					`the values of ${places.length} rows end at byte ${end} of their pages, those at byte ${to}`,
				)
		},
		finish: () => ({ data: { type, nullBitmap, ...finish() }, nullCount, exact: [] }),
	}
}

type Putter = { put: Put; finish: () => Pick<NativeValues, 'values' | 'spans' | 'extremes'> }

function putterOf(type: DeltaType, rows: number, memory: Memory): Putter {
	const { physical, size } = typeOf(type)
	if (physical === 'BYTE_ARRAY') return putTexts(rows, memory, { isOrdered: type !== 'binary' })
	if (physical === 'BOOLEAN') return putBits(rows, memory)
	if (type.startsWith('decimal')) return putDecimals(rows, memory, size)
	return putNumbers(type, rows, memory)
}

/**
 * A text that the rows of several groups share is taken from the first of them: it need not be compared. Extremes are found
 * while the texts are passed: to look for them at the places of their rows would be to fetch each from memory once more.
 */
function putTexts(rows: number, { pages, room }: Memory, { isOrdered }: { isOrdered: boolean }): Putter {
	const words = () => new Uint32Array(room.take(rows * 4), 0, rows)
	const spans = { starts: words(), ends: words() }
	const extremes = new TextExtremes()
	let shared: { from: number; text: Buffer } | undefined
	return {
		put(places, { from, isShared }) {
			const view = viewOf(pages.written)
			let at = from
			let next = from
			if (isShared) {
				const text = pages.written.subarray(from, from + 4 + view.getUint32(from, true))
				if (!shared?.text.equals(text)) shared = { from, text: Buffer.from(text) }
				at = shared.from
				next += text.length
			}
			for (let row = 0; row < places.length; row++) {
				const place = places[row] as number
				const end = at + 4 + view.getUint32(at, true)
				if (place < rows) {
					spans.starts[place] = at + 4
					spans.ends[place] = end
					if (isOrdered) extremes.add(view, place, at + 4, end)
				}
				if (!isShared) at = end
			}
			return isShared ? next : at
		},
		finish() {
			const found = extremes.finish()
			return { values: pages.written, spans, ...(found && { extremes: found }) }
		},
	}
}

function putBits(rows: number, { pages, room }: Memory): Putter {
	const values = new Uint8Array(room.take((rows + 7) >> 3), 0, (rows + 7) >> 3)
	return {
		put(places, { from }) {
			const bytes = pages.written
			for (let row = 0; row < places.length; row++) {
				const place = places[row] as number
				const bit = ((bytes[from + (row >> 3)] as number) >> (row & 7)) & 1
				if (place < rows) values[place >> 3] = (values[place >> 3] as number) | (bit << (place & 7))
			}
			return from + ((places.length + 7) >> 3)
		},
		finish: () => ({ values }),
	}
}

const arrays = { float: Float32Array, double: Float64Array, long: BigInt64Array, timestamp: BigInt64Array } as const

function putNumbers(type: DeltaType, rows: number, { pages, room }: Memory): Putter {
	const Numbers = arrays[type as keyof typeof arrays] ?? Int32Array
	const values = new Numbers(room.take(rows * Numbers.BYTES_PER_ELEMENT), 0, rows)
	const words = new Int32Array(values.buffer)
	const width = values.BYTES_PER_ELEMENT / 4
	return {
		put(places, { from, isShared }) {
			const view = viewOf(pages.written)
			const step = isShared ? 0 : width * 4
			for (let row = 0, at = from; row < places.length; row++, at += step) {
				const place = places[row] as number
				if (place >= rows) continue
				words[place * width] = view.getInt32(at, true)
				if (width === 2) words[place * 2 + 1] = view.getInt32(at + 4, true)
			}
			return from + (isShared ? width * 4 : places.length * step)
		},
		finish: () => ({ values }),
	}
}

/** Of a number, lowest byte first, or of big-endian bytes, as many as the type needs, to four words. */
function putDecimals(rows: number, { pages, room }: Memory, size: number): Putter {
	const values = new Uint32Array(room.take(rows * decimalWords * 4), 0, rows * decimalWords)
	const words = size / 4
	return {
		put(places, { from, isShared }) {
			const view = viewOf(pages.written)
			const bytes = new Uint8Array(values.buffer)
			const step = isShared ? 0 : size
			for (let row = 0, at = from; row < places.length; row++, at += step) {
				const place = places[row] as number
				if (place >= rows) continue
				const first = place * decimalWords
				if (words === 1 || words === 2) {
					const low = view.getInt32(at, true)
					const high = words === 2 ? view.getInt32(at + 4, true) : low >> 31
					values[first] = low
					values[first + 1] = high
					values[first + 2] = high >> 31
					values[first + 3] = high >> 31
				} else {
					const sign = view.getInt8(at) >> 7
					for (let byte = 0; byte < decimalWords * 4; byte++)
						bytes[first * 4 + byte] = byte < size ? view.getUint8(at + size - 1 - byte) : sign
				}
			}
			return from + (isShared ? size : places.length * step)
		},
		finish: () => ({ values }),
	}
}
