import type { TextColumn } from '@reprieve/contracts'
import type { NativeMaps, NativeValues } from './native.ts'

/** A column's type in Delta's own words. */
export type DeltaType =
	| 'boolean'
	| 'short'
	| 'integer'
	| 'long'
	| 'float'
	| 'double'
	| 'string'
	| 'binary'
	| 'date'
	| 'timestamp'
	| `decimal(${number},${number})`

/** One column of a segment. */
export type Encoded<Data extends NativeValues | NativeMaps = NativeValues> = {
	data: Data
	nullCount: number
	/** Rows (counted from the first encoded) whose text the native form cannot give back: NULL here, kept in `_exact`. */
	exact: number[]
}

/** How one Delta type holds PostgreSQL text. What `encode` takes into the native form, `decode` gives back byte for byte. */
export type Codec = {
	encode(column: TextColumn, start: number, end: number): Encoded
	/** PostgreSQL text of one native cell as Parquet holds it. */
	decode(cell: unknown): string | Uint8Array
	/** JSON of one native cell, for types that Delta knows bounds for. */
	json?(cell: unknown): string
}

/** Result of {@link takeEach}: which rows have a value, and the rows that stay out of the native form. */
export type Taken = { nullBitmap: Uint8Array; nullCount: number; exact: number[] }

/** Offers every value's span to `take`, which stores it natively or answers false when that would lose something. */
export function takeEach(
	column: TextColumn,
	start: number,
	end: number,
	take: (from: number, to: number, row: number) => boolean,
): Taken {
	const rows = end - start
	const nullBitmap = new Uint8Array((rows + 7) >> 3)
	const exact: number[] = []
	let nullCount = 0
	for (let row = 0; row < rows; row++) {
		const at = start + row
		const isValue = column.present[at] === 1
		if (isValue && take(column.offsets[at] as number, column.offsets[at + 1] as number, row)) {
			nullBitmap[row >> 3] = (nullBitmap[row >> 3] as number) | (1 << (row & 7))
		} else {
			nullCount++
			if (isValue) exact.push(row)
		}
	}
	return { nullBitmap, nullCount, exact }
}

/** Whether the span is exactly these ASCII characters. */
export function isText(bytes: Uint8Array, from: number, to: number, text: string): boolean {
	if (to - from !== text.length) return false
	for (let at = 0; at < text.length; at++) if (bytes[from + at] !== text.charCodeAt(at)) return false
	return true
}

/** The span as a string; it must be ASCII. */
export function asciiText(bytes: Uint8Array, from: number, to: number): string {
	return Buffer.from(bytes.buffer, bytes.byteOffset + from, to - from).toString('latin1')
}
