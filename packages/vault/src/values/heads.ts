import type { Part } from './bounds.ts'
import { decimalWords, isBitSet, type NativeValues, type Spans, viewOf } from './native.ts'

/** Where most rows are told apart by one number: bytes of a text that make one. */
const headBytes = 6
const word = 2 ** 32

/** Written to by one caller at a time, from beginning to end without a pause. */
let room = new Float64Array(0)

/**
 * A number for each row of a part that has a value: of two rows, the lesser one's is not greater. Whole numbers are told by
 * theirs up to 53 bits. Valid until the next call.
 */
export function headsOf(data: NativeValues, part: Part): Float64Array {
	const count = part.to - part.from
	if (count > room.length) room = new Float64Array(count)
	const heads = room.subarray(0, count)
	const { type, values, spans } = data
	if (spans) putTexts(heads, values as Uint8Array, spans, part.from)
	else if (type === 'boolean')
		for (let at = 0; at < count; at++) heads[at] = isBitSet(values as Uint8Array, part.from + at) ? 1 : 0
	else if (type.startsWith('decimal')) putWords(heads, values, part.from, decimalWords)
	else if (values instanceof BigInt64Array) putWords(heads, values, part.from, 2)
	else heads.set((values as Int32Array).subarray(part.from, part.to))
	return heads
}

function putTexts(heads: Float64Array, bytes: Uint8Array, { starts, ends }: Spans, from: number): void {
	const view = viewOf(bytes)
	for (let at = 0; at < heads.length; at++) {
		const start = starts[from + at] as number
		const size = (ends[from + at] as number) - start
		if (size >= headBytes) {
			heads[at] = view.getUint32(start) * 65_536 + view.getUint16(start + 4)
			continue
		}
		let head = 0
		for (let byte = 0; byte < headBytes; byte++) head = head * 256 + (byte < size ? (bytes[start + byte] as number) : 0)
		heads[at] = head
	}
}

/** Of two's complements in so many words, lowest first; what needs more than two is beyond all others. */
function putWords(
	heads: Float64Array,
	{ buffer, byteOffset, byteLength }: ArrayBufferView,
	from: number,
	words: number,
): void {
	const signed = new Int32Array(buffer, byteOffset, byteLength / 4)
	const unsigned = new Uint32Array(buffer, byteOffset, byteLength / 4)
	for (let row = 0, at = from * words; row < heads.length; row++, at += words) {
		const high = signed[at + 1] as number
		const top = signed[at + words - 1] as number
		const isShort = words === 2 || (top === high >> 31 && signed[at + 2] === top)
		heads[row] = isShort ? high * word + (unsigned[at] as number) : top < 0 ? -beyond : beyond
	}
}

const beyond = 2 ** 64
