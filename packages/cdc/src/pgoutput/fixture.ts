/** Hand-made pgoutput messages, for tests. */
export function message(kind: string, ...parts: (Buffer | string)[]): Buffer {
	return Buffer.concat([
		Buffer.from(kind),
		...parts.map((part) => (typeof part === 'string' ? Buffer.from(part) : part)),
	])
}

export function int16(value: number): Buffer {
	const bytes = Buffer.alloc(2)
	bytes.writeInt16BE(value)
	return bytes
}

export function int32(value: number): Buffer {
	const bytes = Buffer.alloc(4)
	bytes.writeInt32BE(value)
	return bytes
}

export function int64(value: bigint): Buffer {
	const bytes = Buffer.alloc(8)
	bytes.writeBigInt64BE(value)
	return bytes
}

/** A zero-terminated string. */
export function cstring(text: string): Buffer {
	return Buffer.from(`${text}\0`)
}

/** A row; undefined is an unchanged toasted value. */
export function row(...values: (string | null | undefined)[]): Buffer {
	return Buffer.concat([int16(values.length), ...values.map(cell)])
}

function cell(value: string | null | undefined): Buffer {
	if (value === null) return Buffer.from('n')
	if (value === undefined) return Buffer.from('u')
	const bytes = Buffer.from(value)
	return Buffer.concat([Buffer.from('t'), int32(bytes.length), bytes])
}
