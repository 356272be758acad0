import type { Extremes, NativeValues } from '../values/native.ts'
import type { ThriftValue } from './thrift.ts'

/** Least and greatest value in Parquet's own bytes; undefined for types without them here. */
export function plainBounds(
	data: NativeValues,
	{ min, max }: Extremes,
): { min: ThriftValue; max: ThriftValue } | undefined {
	const isBounded = !['boolean', 'binary'].includes(data.type) && !data.type.startsWith('decimal')
	return isBounded ? { min: bytesAt(data, min), max: bytesAt(data, max) } : undefined
}

function bytesAt({ values, spans }: NativeValues, row: number): ThriftValue {
	const width = values.BYTES_PER_ELEMENT
	const [from, to] = spans ? [spans.starts[row] as number, spans.ends[row] as number] : [row, row + 1]
	const bytes = new Uint8Array(values.buffer, values.byteOffset + from * width, (to - from) * width)
	return { kind: 8, value: Uint8Array.from(bytes) }
}
