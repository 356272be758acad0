import { headsOf } from './heads.ts'
import { cellAt, decimalWords, type Extremes, isBitSet, type NativeValues, type Spans, viewOf } from './native.ts'
import { compareTexts, TextExtremes } from './text-extremes.ts'
import { codecOf } from './types.ts'

/** Bounds that enclose values, as JSON source text; numbers and times to the last digit. */
export type Bounds = { min: string; max: string }

/** Rows `from` to `to`; `isFull`: none of them is NULL. */
export type Part = { from: number; to: number; isFull: boolean }

/** Longest text that is its own bound; of a longer one the bound is cut so that it still encloses the value. */
const longestBound = 64

/** No text that begins as the cut one sorts behind it with this at its end. */
const highest = '\u{10FFFF}'

/**
 * What encloses the values between two. Every type that Delta knows bounds for has them: some readers take a missing bound for
 * one that no value meets, and hide the rows.
 */
export function boundsOf(data: NativeValues, extremes: Extremes | undefined): Bounds | undefined {
	const { json } = codecOf(data.type)
	if (!json || !extremes) return undefined
	const [min, max] = [cellAt(data, extremes.min), cellAt(data, extremes.max)]
	if (data.type !== 'string') return { min: json(min), max: json(max) }
	const upper = upperBound(max as Uint8Array)
	return upper === highest ? undefined : { min: json(lowerBound(min as Uint8Array)), max: json(upper) }
}

/** The extremes of a part; undefined where all are NULL, and for bytes, which have no bounds. */
export function extremesOf(data: NativeValues, part: Part): Extremes | undefined {
	if (data.type === 'binary') return undefined
	if (data.spans) return extremesOfTexts(data, data.spans, part)
	if (data.values instanceof BigInt64Array && part.isFull) return extremesOfLongs(data.values, part)
	const compare = comparisonOf(data)
	const heads = headsOf(data, part)
	const exactBelow = Number.MAX_SAFE_INTEGER
	const found = { min: -1, max: -1 }
	let [least, greatest] = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY]
	for (let row = part.from; row < part.to; row++) {
		if (!part.isFull && !isBitSet(data.nullBitmap, row)) continue
		const head = heads[row - part.from] as number
		const isTold = head < exactBelow && head > -exactBelow
		if (head < least || (head === least && !isTold && compare(row, found.min) < 0)) {
			least = head
			found.min = row
		}
		if (head > greatest || (head === greatest && !isTold && compare(row, found.max) > 0)) {
			greatest = head
			found.max = row
		}
	}
	return found.min < 0 ? undefined : found
}

function extremesOfTexts(
	{ values, nullBitmap }: NativeValues,
	{ starts, ends }: Spans,
	{ from, to, isFull }: Part,
): Extremes | undefined {
	const bytes = viewOf(values)
	const extremes = new TextExtremes()
	for (let row = from; row < to; row++)
		if (isFull || isBitSet(nullBitmap, row)) extremes.add(bytes, row, starts[row] as number, ends[row] as number)
	return extremes.finish()
}

/** Those of a part that is not empty. */
function extremesOfLongs({ buffer, byteOffset, byteLength }: BigInt64Array, { from, to }: Part): Extremes {
	const words = new Int32Array(buffer, byteOffset, byteLength / 4)
	const found = { min: from, max: from }
	let [leastHigh, leastLow] = [words[from * 2 + 1] as number, (words[from * 2] as number) >>> 0]
	let [greatestHigh, greatestLow] = [leastHigh, leastLow]
	for (let row = from + 1; row < to; row++) {
		const high = words[row * 2 + 1] as number
		const low = (words[row * 2] as number) >>> 0
		if (high < leastHigh || (high === leastHigh && low < leastLow)) {
			leastHigh = high
			leastLow = low
			found.min = row
		} else if (high > greatestHigh || (high === greatestHigh && low > greatestLow)) {
			greatestHigh = high
			greatestLow = low
			found.max = row
		}
	}
	return found
}

/** The extremes of two parts. */
export function joinExtremes(
	data: NativeValues,
	a: Extremes | undefined,
	b: Extremes | undefined,
): Extremes | undefined {
	if (!a || !b) return a ?? b
	const compare = comparisonOf(data)
	return { min: compare(b.min, a.min) < 0 ? b.min : a.min, max: compare(b.max, a.max) > 0 ? b.max : a.max }
}

/** Order of two rows that have a value. */
export function comparisonOf({ type, values, spans }: NativeValues): (a: number, b: number) => number {
	if (spans) return byBytes(values as Uint8Array, spans)
	if (type === 'boolean') return (a, b) => bitAt(values as Uint8Array, a) - bitAt(values as Uint8Array, b)
	if (type.startsWith('decimal')) return byWords(values, decimalWords)
	if (values instanceof BigInt64Array) return byWords(values, 2)
	const numbers = values as Int32Array
	return (a, b) => (numbers[a] as number) - (numbers[b] as number)
}

function byBytes(values: Uint8Array, { starts, ends }: Spans): (a: number, b: number) => number {
	const bytes = viewOf(values)
	return (a, b) => compareTexts(bytes, starts[a] as number, ends[a] as number, starts[b] as number, ends[b] as number)
}

/** Order of two's complements in so many 32-bit words each, lowest first. */
function byWords({ buffer, byteOffset, byteLength }: ArrayBufferView, words: number): (a: number, b: number) => number {
	const highest = new Int32Array(buffer, byteOffset, byteLength / 4)
	const others = new Uint32Array(buffer, byteOffset, byteLength / 4)
	const top = words - 1
	return (a, b) => {
		let difference = (highest[a * words + top] as number) - (highest[b * words + top] as number)
		for (let word = top - 1; word >= 0 && difference === 0; word--)
			difference = (others[a * words + word] as number) - (others[b * words + word] as number)
		return difference
	}
}

function bitAt(bits: Uint8Array, at: number): number {
	return isBitSet(bits, at) ? 1 : 0
}

function lowerBound(text: Uint8Array): string {
	return text.length <= longestBound ? textOf(text) : cutText(text)
}

function upperBound(text: Uint8Array): string {
	return text.length <= longestBound ? textOf(text) : cutText(text) + highest
}

/** The beginning of a long text, whole characters of which the next is not the highest. */
function cutText(text: Uint8Array): string {
	let to = longestBound
	const isInside = (at: number) => ((text[at] as number) & 0xc0) === 0x80 || text[at] === 0xf4
	while (to > 0 && isInside(to)) to--
	return textOf(text.subarray(0, to))
}

function textOf({ buffer, byteOffset, byteLength }: Uint8Array): string {
	return Buffer.from(buffer, byteOffset, byteLength).toString()
}
