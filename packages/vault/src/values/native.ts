import type { DeltaType } from './codec.ts'

/** Values of one column in native form; at the place of a NULL there may be anything. */
export type NativeValues = {
	type: DeltaType
	/** A bit a row, lowest first: 1 is a value. */
	nullBitmap: Uint8Array
	/** Bits of booleans, lowest first; bytes of texts; four words of a decimal, lowest first; else one number a row. */
	values: Uint8Array | Int32Array | Uint32Array | BigInt64Array | Float32Array | Float64Array
	/** Where each text begins, and where the last one ends. */
	valueOffsets?: Int32Array
}

/** Maps of texts: row r has the entries `offsets[r]` to `offsets[r + 1]`. */
export type NativeMaps = {
	type: 'map'
	nullBitmap: Uint8Array
	offsets: Int32Array
	keys: NativeValues
	items: NativeValues
}

export function isBitSet(bits: Uint8Array, at: number): boolean {
	return ((bits[at >> 3] as number) & (1 << (at & 7))) !== 0
}
