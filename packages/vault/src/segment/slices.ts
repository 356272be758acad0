import { createHash } from 'node:crypto'
import { corrupt } from '../seal.ts'
import { readThrift, type ThriftList, type ThriftStruct, type ThriftValue, writeThrift } from './thrift.ts'

/** A part of a segment that is read alone: `size` bytes from `offset` hold the slice, and may hold what follows it. */
export type Slice = { offset: number; size: number }

/** Offsets of slices are multiples of it. */
const sliceAlignment = 16

/** Size at which rows begin another slice. */
export const sliceBytes = 64 * 1024

const magic = Buffer.from('RPSL')
const parquetMagic = Buffer.from('PAR1')
/** Before the slice: `RPSL`, its size (32 bits, little endian), SHA-256; 8 bytes of nothing keep the alignment. */
const headBytes = 48

/** Numbers of the fields that are read or moved here, as parquet.thrift has them. */
const file = { rows: 3, groups: 4, notes: 5 }
const group = { columns: 1, rows: 3, offset: 5 }
const chunk = { offset: 2, meta: 3, indexes: [4, 5, 6, 7] }
const meta = { size: 7, dataPage: 9, indexPage: 10, dictionaryPage: 11, statistics: [12, 13, 16], bloomFilter: 14 }

/**
 * Lays the row groups of a Parquet file out as slices: each is a Parquet file of its own behind a head with its digest, bound
 * to the segment's path and its place, and the whole is still one Parquet file over the same pages. Page indexes are dropped.
 */
export function cutSlices(path: string, bytes: Uint8Array): Uint8Array {
	const footer = readThrift(footerOf(bytes))
	const parts: Uint8Array[] = [parquetMagic, Buffer.alloc(sliceAlignment - parquetMagic.length)]
	let at = sliceAlignment
	const groups = itemsOf(footer, file.groups).map((item) => {
		const source = item.value as ThriftStruct
		const { start, end } = extentOf(source)
		const pages = bytes.subarray(start, end)
		const slice = alone(footer, moved(source, parquetMagic.length - start), pages)
		const size = headBytes + slice.reduce((sum, { length }) => sum + length, 0)
		const padding = -size & (sliceAlignment - 1)
		parts.push(headOf({ path, offset: at }, slice), ...slice, Buffer.alloc(padding))
		const inFile = moved(source, at + headBytes + parquetMagic.length - start, { isWhole: true })
		at += size + padding
		return { ...item, value: inFile }
	})
	const whole = new Map(footer)
	whole.set(file.groups, listOf(footer, file.groups, groups))
	return Buffer.concat([...parts, tailOf(whole)])
}

/** Every slice of a segment that {@link cutSlices} wrote, in the order of its row groups. */
export function slicesOf(bytes: Uint8Array): Slice[] {
	const slices: Slice[] = []
	for (let at = sliceAlignment; magic.equals(bytes.subarray(at, at + magic.length)); ) {
		const size = headBytes + sizeIn(bytes.subarray(at))
		slices.push({ offset: at, size })
		at += size + (-size & (sliceAlignment - 1))
	}
	return slices
}

/** The Parquet file in the bytes of a slice, compared with its digest. Throws VAULT_CORRUPT naming the object. */
export function openSlice(object: string, place: { path: string; offset: number }, bytes: Uint8Array): Uint8Array {
	const size = bytes.length < headBytes ? 0 : sizeIn(bytes)
	const slice = bytes.subarray(headBytes, headBytes + size)
	if (slice.length !== size || !headOf(place, [slice]).equals(bytes.subarray(0, headBytes)))
		throw corrupt(object, `the slice at byte ${place.offset} does not match its digest`)
	return slice
}

/** The head of a slice given in parts. */
function headOf({ path, offset }: { path: string; offset: number }, slice: readonly Uint8Array[]): Buffer {
	const head = Buffer.alloc(headBytes)
	const digest = createHash('sha256').update(`${path}@${offset}\n`)
	for (const part of slice) digest.update(part)
	magic.copy(head)
	head.writeUInt32LE(
		slice.reduce((sum, { length }) => sum + length, 0),
		magic.length,
	)
	digest.digest().copy(head, 8)
	return head
}

function sizeIn(bytes: Uint8Array): number {
	return Buffer.from(bytes.buffer, bytes.byteOffset, headBytes).readUInt32LE(magic.length)
}

function footerOf(bytes: Uint8Array): Uint8Array {
	const size = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).readUInt32LE(bytes.length - 8)
	return bytes.subarray(bytes.length - 8 - size, bytes.length - 8)
}

function tailOf(footer: ThriftStruct): Buffer {
	const body = writeThrift(footer)
	const size = Buffer.alloc(4)
	size.writeUInt32LE(body.length)
	return Buffer.concat([body, size, parquetMagic])
}

/** One row group as a file without statistics and notes: who reads a slice knows already that it is wanted. */
function alone(footer: ThriftStruct, rowGroup: ThriftStruct, pages: Uint8Array): Uint8Array[] {
	const own = new Map(footer)
	own.delete(file.notes)
	own.set(file.rows, rowGroup.get(group.rows) as ThriftValue)
	own.set(file.groups, listOf(footer, file.groups, [{ kind: 12, value: rowGroup }]))
	return [parquetMagic, pages, tailOf(own)]
}

/** The bytes of a row group's pages, which lie next to each other. */
function extentOf(rowGroup: ThriftStruct): { start: number; end: number } {
	let start = Number.POSITIVE_INFINITY
	let end = 0
	for (const { value } of itemsOf(rowGroup, group.columns)) {
		const own = (value as ThriftStruct).get(chunk.meta)?.value as ThriftStruct
		const first = own.get(meta.dictionaryPage) ?? (own.get(meta.dataPage) as ThriftValue)
		start = Math.min(start, Number(first.value))
		end = Math.max(end, Number(first.value) + Number(own.get(meta.size)?.value))
	}
	return { start, end }
}

/** A row group whose pages lie `by` bytes further on. */
function moved(rowGroup: ThriftStruct, by: number, { isWhole = false } = {}): ThriftStruct {
	const columns = itemsOf(rowGroup, group.columns).map((item) => {
		const column = shifted(item.value as ThriftStruct, [chunk.offset], by)
		const own = shifted(
			column.get(chunk.meta)?.value as ThriftStruct,
			[meta.dataPage, meta.indexPage, meta.dictionaryPage],
			by,
		)
		for (const id of [meta.bloomFilter, ...(isWhole ? [] : meta.statistics)]) own.delete(id)
		for (const id of chunk.indexes) column.delete(id)
		column.set(chunk.meta, { kind: 12, value: own })
		return { ...item, value: column }
	})
	const result = shifted(rowGroup, [group.offset], by)
	result.set(group.columns, listOf(rowGroup, group.columns, columns))
	return result
}

/** An offset of 0 stands for none. */
function shifted(struct: ThriftStruct, ids: readonly number[], by: number): ThriftStruct {
	const copy = new Map(struct)
	for (const id of ids) {
		const field = copy.get(id)
		if (field && field.value !== 0n) copy.set(id, { ...field, value: (field.value as bigint) + BigInt(by) })
	}
	return copy
}

function itemsOf(struct: ThriftStruct, id: number): ThriftValue[] {
	return (struct.get(id)?.value as ThriftList | undefined)?.items ?? []
}

function listOf(struct: ThriftStruct, id: number, items: ThriftValue[]): ThriftValue {
	const field = struct.get(id) as ThriftValue
	return { ...field, value: { ...(field.value as ThriftList), items } }
}
