import { Scratch } from './scratch.ts'

/** Type numbers of Thrift's compact protocol, as far as Parquet's footer has them. */
const kinds = { true: 1, false: 2, byte: 3, i16: 4, i32: 5, i64: 6, binary: 8, list: 9, struct: 12 } as const

/**
 * A value with the type that it is written under; whole numbers are zigzag varints, which are read as bigints. `written` stands
 * for a value as it was written before.
 */
export type ThriftValue = {
	kind: number
	value: bigint | number | boolean | Uint8Array | ThriftStruct | ThriftList | { written: Uint8Array }
}

/** Fields by number, in ascending order. */
export type ThriftStruct = Map<number, ThriftValue>

type ThriftList = { element: number; items: ThriftValue[] }

export const i32 = (value: number): ThriftValue => ({ kind: kinds.i32, value })
export const i64 = (value: number): ThriftValue => ({ kind: kinds.i64, value })
export const flag = (value: boolean): ThriftValue => ({ kind: value ? kinds.true : kinds.false, value })
export const text = (value: string): ThriftValue => ({ kind: kinds.binary, value: Buffer.from(value) })
export const struct = (fields: Iterable<readonly [number, ThriftValue]>): ThriftValue => ({
	kind: kinds.struct,
	value: new Map(fields),
})
export const list = (element: number, items: ThriftValue[]): ThriftValue => ({
	kind: kinds.list,
	value: { element, items },
})

/** The same value, for those that are written again and again. */
export function written(value: ThriftValue): ThriftValue {
	const out = new Scratch(firstBytes)
	writeValue(out, value)
	return { kind: value.kind, value: { written: out.written } }
}

/**
 * Reads one struct of Thrift's compact protocol from byte `at` on, and where it ends. Fields that nobody here knows are kept as
 * they are. Throws a RangeError.
 */
export function readThriftAt(bytes: Uint8Array, at: number): { struct: ThriftStruct; end: number } {
	const cursor = { bytes, at }
	const struct = readStruct(cursor)
	return { struct, end: cursor.at }
}

/** Inverse of {@link readThriftAt}. */
export function writeThrift(struct: ThriftStruct): Uint8Array {
	const out = scratch
	out.reset()
	writeStruct(out, struct)
	return Uint8Array.from(out.written)
}

/** Written to by one caller at a time, from beginning to end without a pause. */
const firstBytes = 1024
const scratch = new Scratch()

type Cursor = { bytes: Uint8Array; at: number }

function readByte(cursor: Cursor): number {
	const byte = cursor.bytes[cursor.at++]
	if (byte === undefined) throw new RangeError(`the metadata ends at byte ${cursor.at - 1}`)
	return byte
}

function readVarint(cursor: Cursor): bigint {
	let value = 0n
	for (let shift = 0n; ; shift += 7n) {
		const byte = readByte(cursor)
		value |= BigInt(byte & 0x7f) << shift
		if (byte < 0x80) return value
	}
}

function readWhole(cursor: Cursor): bigint {
	const value = readVarint(cursor)
	return (value >> 1n) ^ -(value & 1n)
}

function readStruct(cursor: Cursor): ThriftStruct {
	const struct: ThriftStruct = new Map()
	let id = 0
	for (let head = readByte(cursor); head !== 0; head = readByte(cursor)) {
		const kind = head & 15
		id = head >> 4 === 0 ? Number(readWhole(cursor)) : id + (head >> 4)
		const isFlag = kind === kinds.true || kind === kinds.false
		struct.set(id, { kind, value: isFlag ? kind === kinds.true : readValue(cursor, kind) })
	}
	return struct
}

function readValue(cursor: Cursor, kind: number): ThriftValue['value'] {
	switch (kind) {
		case kinds.i16:
		case kinds.i32:
		case kinds.i64:
			return readWhole(cursor)
		case kinds.true:
		case kinds.false:
		case kinds.byte:
			return readByte(cursor)
		case kinds.binary:
			return takeBytes(cursor, Number(readVarint(cursor)))
		case kinds.list:
			return readList(cursor)
		case kinds.struct:
			return readStruct(cursor)
		default:
			throw new RangeError(`the metadata has a value of type ${kind}`)
	}
}

function takeBytes(cursor: Cursor, size: number): Uint8Array {
	cursor.at += size
	return cursor.bytes.subarray(cursor.at - size, cursor.at)
}

function readList(cursor: Cursor): ThriftList {
	const head = readByte(cursor)
	const element = head & 15
	const size = head >> 4 === 15 ? Number(readVarint(cursor)) : head >> 4
	return { element, items: Array.from({ length: size }, () => ({ kind: element, value: readValue(cursor, element) })) }
}

function writeByte(out: Scratch, byte: number): void {
	const at = out.used
	out.take(1)[at] = byte
}

function writeVarint(out: Scratch, value: number): void {
	let left = value
	for (; left >= 0x80; left = Math.floor(left / 0x80)) writeByte(out, (left % 0x80) | 0x80)
	writeByte(out, left)
}

/** Zigzag; few of them are so large that only a bigint holds them. */
function writeWhole(out: Scratch, value: number | bigint): void {
	const small = Number(value)
	if (small >= 0 && small < 2 ** 52) {
		writeVarint(out, small * 2)
		return
	}
	const whole = BigInt(value)
	let left = BigInt.asUintN(64, (whole << 1n) ^ (whole >> 63n))
	for (; left >= 0x80n; left >>= 7n) writeByte(out, Number(left & 0x7fn) | 0x80)
	writeByte(out, Number(left))
}

function writeStruct(out: Scratch, struct: ThriftStruct): void {
	let before = 0
	struct.forEach((field, id) => {
		if (id > before && id - before <= 15) writeByte(out, ((id - before) << 4) | field.kind)
		else {
			writeByte(out, field.kind)
			writeWhole(out, id)
		}
		if (typeof field.value !== 'boolean') writeValue(out, field)
		before = id
	})
	writeByte(out, 0)
}

function writeValue(out: Scratch, { kind, value }: ThriftValue): void {
	if (typeof value === 'boolean') writeByte(out, value ? kinds.true : kinds.false)
	else if (typeof value === 'number' || typeof value === 'bigint') {
		if (kind === kinds.byte) writeByte(out, Number(value))
		else writeWhole(out, value)
	} else if (value instanceof Map) writeStruct(out, value)
	else if (value instanceof Uint8Array) {
		writeVarint(out, value.length)
		out.put(value)
	} else if ('written' in value) out.put(value.written)
	else {
		const { element, items } = value
		writeByte(out, (Math.min(items.length, 15) << 4) | element)
		if (items.length >= 15) writeVarint(out, items.length)
		for (const item of items) writeValue(out, item)
	}
}
