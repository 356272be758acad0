import type { DeltaType } from './codec.ts'

/** Values of one column in native form; at the place of a NULL there may be anything. */
export type NativeValues = {
	type: DeltaType
	/** A bit a row, lowest first: 1 is a value. */
	nullBitmap: Uint8Array
	/** Bits of booleans, lowest first; bytes of texts; four words of a decimal, lowest first; else one number a row. */
	values: Uint8Array | Int32Array | Uint32Array | BigInt64Array | Float32Array | Float64Array
	/** Where each text lies among the bytes. */
	spans?: Spans
	/** The rows of the least and the greatest value, where they are known already. */
	extremes?: Extremes
}

/** The rows of the least and the greatest value. */
export type Extremes = { min: number; max: number }

export type Spans = { starts: Uint32Array; ends: Uint32Array }

/** Maps of texts: row r has the entries `offsets[r]` to `offsets[r + 1]`. */
export type NativeMaps = {
	type: 'map'
	nullBitmap: Uint8Array
	offsets: Int32Array
	keys: NativeValues
	items: NativeValues
}

/** Words of a decimal. */
export const decimalWords = 4

export function isBitSet(bits: Uint8Array, at: number): boolean {
	return ((bits[at >> 3] as number) & (1 << (at & 7))) !== 0
}

/** Spans of texts that lie one behind the other, given where each begins and the last one ends. */
export function spansOf(offsets: Uint32Array): Spans {
	return { starts: offsets.subarray(0, -1), ends: offsets.subarray(1) }
}

/** The bytes of an array, to read numbers from any place. */
export function viewOf({ buffer, byteOffset, byteLength }: ArrayBufferView): DataView {
	return new DataView(buffer, byteOffset, byteLength)
}

/** A cell as a codec decodes it; undefined is NULL. */
export function cellAt({ type, nullBitmap, values, spans }: NativeValues, row: number): unknown {
	if (!isBitSet(nullBitmap, row)) return undefined
	if (spans) return (values as Uint8Array).subarray(spans.starts[row], spans.ends[row])
	if (type === 'boolean') return isBitSet(values as Uint8Array, row)
	if (!type.startsWith('decimal')) return values[row]
	let unscaled = 0n
	for (let word = decimalWords - 1; word >= 0; word--)
		unscaled = (unscaled << 32n) | BigInt(values[row * decimalWords + word] as number)
	return BigInt.asIntN(128, unscaled)
}
