import type { Slice } from '../segment/slices.ts'

/** Where rows of one key hash lie: a segment's number in its run, and there a slice, or the whole with offset and size 0. */
export type IndexEntry = {
	hash: number
	segment: number
	/** In 16 bytes. */
	offset: number
	/** In KiB, rounded up. */
	size: number
}

/** Instead of a segment's number: rows of this hash may lie in each. */
export const everywhere = 0xff_ffff

/** Many entries, column by column. */
export type Entries = {
	readonly count: number
	hash: Float64Array
	segment: Uint32Array
	offset: Uint32Array
	size: Uint16Array
	push(entry: IndexEntry): void
	/** Entries of hashes at one place, one for those that are equal and follow each other. */
	pushAll(hashes: Float64Array, place: Omit<IndexEntry, 'hash'>): void
	/** Begins again in the same memory. */
	clear(): void
}

const offsetUnit = 16
const sizeUnit = 1024
const maxOffset = 2 ** 24
const maxSize = 2 ** 16

/** No entries yet, and room for some. */
export function growEntries(room: number): Entries {
	let count = 0
	const reserve = (more: number) => {
		if (count + more <= entries.hash.length) return
		const { hash, segment, offset, size } = entries
		Object.assign(entries, allocate(Math.max(64, count * 2, count + more)))
		entries.hash.set(hash)
		entries.segment.set(segment)
		entries.offset.set(offset)
		entries.size.set(size)
	}
	const entries: Entries = {
		...allocate(room),
		get count() {
			return count
		},
		push({ hash, segment, offset, size }) {
			reserve(1)
			entries.hash[count] = hash
			entries.segment[count] = segment
			entries.offset[count] = offset
			entries.size[count] = size
			count++
		},
		pushAll(hashes, { segment, offset, size }) {
			reserve(hashes.length)
			const first = count
			for (let at = 0; at < hashes.length; at++) {
				const hash = hashes[at] as number
				if (at === 0 || hash !== hashes[at - 1]) entries.hash[count++] = hash
			}
			entries.segment.fill(segment, first, count)
			entries.offset.fill(offset, first, count)
			entries.size.fill(size, first, count)
		},
		clear() {
			count = 0
		},
	}
	return entries
}

/** A slice as an entry names it; one that is out of reach, like a segment without slices, is read with the whole. */
export function packSlice(slice: Slice | undefined): Pick<IndexEntry, 'offset' | 'size'> {
	if (!slice) return { offset: 0, size: 0 }
	const [offset, size] = [slice.offset / offsetUnit, Math.ceil(slice.size / sizeUnit)]
	return offset < maxOffset && size < maxSize ? { offset, size } : { offset: 0, size: 0 }
}

/** Inverse of {@link packSlice}, up to the rounding. */
export function unpackSlice({ offset, size }: Pick<IndexEntry, 'offset' | 'size'>): Slice | undefined {
	return size === 0 ? undefined : { offset: offset * offsetUnit, size: size * sizeUnit }
}

function allocate(room: number): Pick<Entries, 'hash' | 'segment' | 'offset' | 'size'> {
	return {
		hash: new Float64Array(room),
		segment: new Uint32Array(room),
		offset: new Uint32Array(room),
		size: new Uint16Array(room),
	}
}
