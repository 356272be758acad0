import type { Part } from '../values/bounds.ts'
import { decimalWords, isBitSet, type NativeValues, type Spans, viewOf } from '../values/native.ts'
import { typeOf } from './schema.ts'
import type { Scratch } from './scratch.ts'

/** Writes the values of a part, NULLs left out, one behind the other as Parquet has them. */
export function putPlain(out: Scratch, data: NativeValues, part: Part): void {
	const { physical, size } = typeOf(data.type)
	if (data.spans) putTexts(out, { ...data, spans: data.spans }, part)
	else if (physical === 'BOOLEAN') putBits(out, data, part)
	else if (data.type.startsWith('decimal')) putDecimals(out, data, { ...part, size })
	else putNumbers(out, data, part)
}

function putTexts(out: Scratch, data: NativeValues & { spans: Spans }, { from, to, isFull }: Part): void {
	const { nullBitmap, spans } = data
	const { starts, ends } = spans
	const has = (row: number) => isFull || isBitSet(nullBitmap, row)
	let size = 0
	for (let row = from; row < to; row++) if (has(row)) size += 4 + (ends[row] as number) - (starts[row] as number)
	let at = out.used
	const [source, target] = [viewOf(data.values), viewOf(out.take(size))]
	for (let row = from; row < to; row++) {
		if (!has(row)) continue
		const start = starts[row] as number
		const length = (ends[row] as number) - start
		target.setUint32(at, length, true)
		copy(source, start, length, target, at + 4)
		at += 4 + length
	}
}

/** Up to this size a loop is faster than a call that leaves JavaScript. */
const shortLength = 256

function copy(source: DataView, from: number, length: number, target: DataView, to: number): void {
	if (length > shortLength) {
		const bytes = new Uint8Array(source.buffer, source.byteOffset + from, length)
		new Uint8Array(target.buffer, target.byteOffset + to, length).set(bytes)
		return
	}
	const end = length & ~3
	for (let at = 0; at < end; at += 4) target.setUint32(to + at, source.getUint32(from + at, true), true)
	for (let at = end; at < length; at++) target.setUint8(to + at, source.getUint8(from + at))
}

function putBits(out: Scratch, { values, nullBitmap }: NativeValues, { from, to, isFull }: Part): void {
	const start = out.used
	const target = out.take((to - from + 7) >> 3).fill(0, start)
	let bit = 0
	for (let row = from; row < to; row++) {
		if (!isFull && !isBitSet(nullBitmap, row)) continue
		if (isBitSet(values as Uint8Array, row))
			target[start + (bit >> 3)] = (target[start + (bit >> 3)] as number) | (1 << (bit & 7))
		bit++
	}
	out.used = start + ((bit + 7) >> 3)
}

function putNumbers(out: Scratch, { values, nullBitmap }: NativeValues, { from, to, isFull }: Part): void {
	const width = values.BYTES_PER_ELEMENT
	const bytes = new Uint8Array(values.buffer, values.byteOffset, values.byteLength)
	if (isFull) {
		out.put(bytes.subarray(from * width, to * width))
		return
	}
	let at = out.used
	const target = out.take((to - from) * width)
	for (let row = from; row < to; row++) {
		if (!isBitSet(nullBitmap, row)) continue
		for (let byte = 0; byte < width; byte++) target[at + byte] = bytes[row * width + byte] as number
		at += width
	}
	out.used = at
}

/** Four words a row, lowest first: as a number where its type has one, else big-endian in the fewest bytes. */
function putDecimals(out: Scratch, { type, values, nullBitmap }: NativeValues, part: Part & { size: number }): void {
	const { from, to, isFull, size } = part
	const isNumber = typeOf(type).physical !== 'FIXED_LEN_BYTE_ARRAY'
	const bytes = new Uint8Array(values.buffer, values.byteOffset, values.byteLength)
	let at = out.used
	const target = out.take((to - from) * size)
	for (let row = from; row < to; row++) {
		if (!isFull && !isBitSet(nullBitmap, row)) continue
		for (let byte = 0; byte < size; byte++)
			target[at + (isNumber ? byte : size - 1 - byte)] = bytes[row * decimalWords * 4 + byte] as number
		at += size
	}
	out.used = at
}
