import { createHash } from 'node:crypto'
import { corrupt } from '../seal.ts'
import { type EncodedColumn, type Grouping, groupSpans, rowsIn } from './encode.ts'
import { groupOf, groupsOf, magic as parquetMagic, tailWriter } from './footer.ts'
import type { ThriftStruct } from './thrift.ts'

/** A part of a segment that is read alone: `size` bytes from `offset` hold the slice, and may hold what follows it. */
export type Slice = { offset: number; size: number }

/** Offsets of slices are multiples of it. */
const sliceAlignment = 16

/** Size at which rows begin another slice. */
export const sliceBytes = 64 * 1024

/** A slice of more is cut, a few times, where it has more than one row. */
export const longestSlice = 3 * sliceBytes

const magic = Buffer.from('RPSL')
/** Before the slice: `RPSL`, its size (32 bits, little endian), SHA-256; 8 bytes of nothing keep the alignment. */
const headBytes = 48

/**
 * Lays the row groups of columns out as slices: each is a Parquet file of its own behind a head with its digest, bound to the
 * segment's path and its place, and the whole is still one Parquet file over the same pages. A slice says nothing of bounds: who
 * reads one knows already that it is wanted.
 */
export function joinSlices(
	path: string,
	columns: readonly EncodedColumn[],
	{ rows, grouping }: { rows: number; grouping: Grouping },
): Uint8Array {
	const parts: Uint8Array[] = [parquetMagic, Buffer.alloc(sliceAlignment - parquetMagic.length)]
	const groups: ThriftStruct[] = []
	const tailOf = tailWriter(columns)
	let at = sliceAlignment
	const spans = groupSpans(rows, grouping)
	for (const [number, chunks] of groupsOf(columns).entries()) {
		const own = rowsIn(spans[number])
		const alone = groupOf(chunks, { at: parquetMagic.length, rows: own, hasStatistics: false })
		const slice = [parquetMagic, ...chunks.flatMap(({ pages }) => pages), tailOf([alone], own)]
		const size = headBytes + slice.reduce((sum, { length }) => sum + length, 0)
		const padding = -size & (sliceAlignment - 1)
		parts.push(headOf({ path, offset: at }, slice), ...slice, Buffer.alloc(padding))
		groups.push(groupOf(chunks, { at: at + headBytes + parquetMagic.length, rows: own }))
		at += size + padding
	}
	return Buffer.concat([...parts, tailOf(groups, rows)])
}

/** Every slice of a segment that {@link joinSlices} wrote, in the order of its row groups. */
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
