import { isBitSet, type NativeValues } from '../values/native.ts'
import { typeOf } from './schema.ts'
import type { Scratch } from './scratch.ts'

/** Rows of a column that belong to one row group; `isFull`: none of them is NULL. */
export type Part = { from: number; to: number; isFull: boolean }

/** Writes the values of a part, NULLs left out, one behind the other as Parquet has them. */
export function putPlain(out: Scratch, data: NativeValues, part: Part): void {
	const { physical, size } = typeOf(data.type)
	if (data.valueOffsets) putTexts(out, data, part)
	else if (physical === 'BOOLEAN') putBits(out, data, part)
	else if (data.type.startsWith('decimal')) putDecimals(out, data, { ...part, size })
	else putNumbers(out, data, part)
}

function putTexts(out: Scratch, { values, valueOffsets, nullBitmap }: NativeValues, { from, to, isFull }: Part): void {
	const offsets = valueOffsets as Int32Array
	const source = values as Uint8Array
	let at = out.used
	const target = out.take((to - from) * 4 + (offsets[to] as number) - (offsets[from] as number))
	for (let row = from; row < to; row++) {
		if (!isFull && !isBitSet(nullBitmap, row)) continue
		const start = offsets[row] as number
		const length = (offsets[row + 1] as number) - start
		target[at] = length
		target[at + 1] = length >> 8
		target[at + 2] = length >> 16
		target[at + 3] = length >>> 24
		at += 4
		copy(source, start, length, target, at)
		at += length
	}
	out.used = at
}

/** A call for a handful of bytes costs more than the bytes. */
function copy(source: Uint8Array, start: number, length: number, target: Uint8Array, at: number): void {
	if (length > 48) target.set(source.subarray(start, start + length), at)
	else for (let byte = 0; byte < length; byte++) target[at + byte] = source[start + byte] as number
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
			target[at + (isNumber ? byte : size - 1 - byte)] = bytes[row * 16 + byte] as number
		at += size
	}
	out.used = at
}
