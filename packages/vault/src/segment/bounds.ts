import { isBitSet, type NativeValues } from '../values/native.ts'
import type { Part } from './plain.ts'
import type { ThriftValue } from './thrift.ts'

/** Least and greatest value of a part in Parquet's own bytes; undefined where all are NULL, and for types without them here. */
export function boundsOf(data: NativeValues, part: Part): { min: ThriftValue; max: ThriftValue } | undefined {
	const rows = extremesOf(data, part)
	return rows && { min: bytesAt(data, rows.min), max: bytesAt(data, rows.max) }
}

/** The rows of the least and the greatest value of a part; undefined under the same conditions. */
export function extremesOf(data: NativeValues, part: Part): { min: number; max: number } | undefined {
	const compare = comparisonOf(data)
	if (!compare) return undefined
	let min = -1
	let max = -1
	for (let row = part.from; row < part.to; row++) {
		if (!part.isFull && !isBitSet(data.nullBitmap, row)) continue
		if (min < 0 || compare(row, min) < 0) min = row
		if (max < 0 || compare(row, max) > 0) max = row
	}
	return min < 0 ? undefined : { min, max }
}

function comparisonOf({ type, values, valueOffsets }: NativeValues): ((a: number, b: number) => number) | undefined {
	if (values instanceof BigInt64Array) {
		const high = new Int32Array(values.buffer, values.byteOffset, values.length * 2)
		const low = new Uint32Array(values.buffer, values.byteOffset, values.length * 2)
		return (a, b) =>
			(high[a * 2 + 1] as number) - (high[b * 2 + 1] as number) || (low[a * 2] as number) - (low[b * 2] as number)
	}
	if (valueOffsets && type === 'string') {
		const bytes = Buffer.from(values.buffer, values.byteOffset, values.byteLength)
		const end = (row: number) => valueOffsets[row + 1] as number
		return (a, b) => bytes.compare(bytes, valueOffsets[b], end(b), valueOffsets[a], end(a))
	}
	if (valueOffsets || type === 'boolean' || type.startsWith('decimal')) return undefined
	const numbers = values as Int32Array
	return (a, b) => (numbers[a] as number) - (numbers[b] as number)
}

function bytesAt({ values, valueOffsets }: NativeValues, row: number): ThriftValue {
	const width = values.BYTES_PER_ELEMENT
	const [from, to] = valueOffsets ? [valueOffsets[row] as number, valueOffsets[row + 1] as number] : [row, row + 1]
	const bytes = new Uint8Array(values.buffer, values.byteOffset + from * width, (to - from) * width)
	return { kind: 8, value: Uint8Array.from(bytes) }
}
