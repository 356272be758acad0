import { createHash } from 'node:crypto'
import { corrupt } from '../seal.ts'
import { type Entries, everywhere, growEntries } from './entries.ts'

/** An index object is a row of pages of this size. */
export const pageBytes = 16 * 1024

/** SHA-256 over the page's place and the rest of it. */
const sealBytes = 32
const countBytes = 2
const entryBytes = 13
const capacity = Math.floor((pageBytes - sealBytes - countBytes) / entryBytes)

/** Places of one hash beyond which it is only noted as lying everywhere. */
const maxPlaces = 64

/** Hashes spread evenly, so that pages filled to this part on average do not overflow. */
const fill = 0.85

/** Where a hash lies among `count` parts that share `span` equally. */
export function partOf(hash: number, span: number, count: number): number {
	return Math.floor((hash * count) / span)
}

/**
 * Pages of the entries, whose hashes lie in `span` from `from`. A hash with more places than are worth their room is noted
 * once, as lying in every segment.
 */
export function encodePages(path: string, entries: Entries, range: { from: number; span: number }): Buffer {
	for (let pages = Math.max(1, Math.ceil(entries.count / (capacity * fill))); ; pages *= 2) {
		const placed = placeEntries(entries, { ...range, pages })
		if (placed.every(({ numbers }) => numbers.length <= capacity)) return joinPages(path, entries, placed)
	}
}

/** The entries of one page. Throws VAULT_CORRUPT naming the object. */
export function decodePage(
	object: string,
	{ path, page }: { path: string; page: number },
	content: Uint8Array,
): Entries {
	const bytes = Buffer.from(content.buffer, content.byteOffset, content.byteLength)
	if (bytes.length !== pageBytes || !sealOf(path, page, bytes).equals(bytes.subarray(0, sealBytes)))
		throw corrupt(object, `page ${page} does not match its digest`, { hint: rebuildHint })
	const count = bytes.readUInt16LE(sealBytes)
	const entries = growEntries(count)
	for (let at = 0, start = sealBytes + countBytes; at < count; at++, start += entryBytes)
		entries.push({
			hash: bytes.readUIntLE(start, 5),
			segment: bytes.readUIntLE(start + 5, 3),
			offset: bytes.readUIntLE(start + 8, 3),
			size: bytes.readUInt16LE(start + 11),
		})
	return entries
}

/** Entries of one page, by their number; of some is only noted that their hash lies everywhere. */
type Placed = { numbers: Uint32Array; everywhere: ReadonlySet<number> }

/** The entries of each page. */
function placeEntries(
	{ count, hash }: Entries,
	{ from, span, pages }: { from: number; span: number; pages: number },
): Placed[] {
	const ends = new Uint32Array(pages)
	const pageOf = new Uint32Array(count)
	for (let at = 0; at < count; at++) {
		const page = partOf((hash[at] as number) - from, span, pages)
		pageOf[at] = page
		ends[page] = (ends[page] as number) + 1
	}
	for (let page = 1; page < pages; page++) ends[page] = (ends[page] as number) + (ends[page - 1] as number)
	const starts = ends.slice()
	const numbers = new Uint32Array(count)
	for (let at = count - 1; at >= 0; at--) {
		const page = pageOf[at] as number
		starts[page] = (starts[page] as number) - 1
		numbers[starts[page] as number] = at
	}
	return Array.from(starts, (start, page) => {
		const own = numbers.subarray(start, ends[page])
		return own.length > capacity ? collapse(hash, own) : { numbers: own, everywhere: nowhere }
	})
}

const nowhere: ReadonlySet<number> = new Set()

function collapse(hash: Float64Array, own: Uint32Array): Placed {
	const kept: number[] = []
	const everywhere = new Set<number>()
	for (const places of Map.groupBy(own, (at) => hash[at] as number).values()) {
		const [first = 0] = places
		if (places.length > maxPlaces) everywhere.add(first)
		kept.push(...(places.length > maxPlaces ? [first] : places))
	}
	return { numbers: Uint32Array.from(kept), everywhere }
}

function joinPages(path: string, entries: Entries, placed: readonly Placed[]): Buffer {
	const all = Buffer.alloc(placed.length * pageBytes)
	for (const [page, own] of placed.entries()) {
		const bytes = all.subarray(page * pageBytes, (page + 1) * pageBytes)
		putEntries(bytes, entries, own)
		sealOf(path, page, bytes).copy(bytes)
	}
	return all
}

function putEntries(bytes: Buffer, { hash, segment, offset, size }: Entries, own: Placed): void {
	const view = new DataView(bytes.buffer, bytes.byteOffset, pageBytes)
	view.setUint16(sealBytes, own.numbers.length, true)
	for (let place = 0, start = sealBytes + countBytes; place < own.numbers.length; place++, start += entryBytes) {
		const at = own.numbers[place] as number
		const isEverywhere = own.everywhere.size > 0 && own.everywhere.has(at)
		const number = isEverywhere ? everywhere : (segment[at] as number)
		view.setUint32(start, hash[at] as number, true)
		view.setUint32(start + 4, Math.floor((hash[at] as number) / 2 ** 32) + number * 256, true)
		view.setUint16(start + 8, offset[at] as number, true)
		view.setUint8(start + 10, (offset[at] as number) >>> 16)
		view.setUint16(start + 11, size[at] as number, true)
	}
}

/** What to do about a damaged index object: it holds nothing that the segments do not. */
export const rebuildHint = 'Delete this object; the next compaction of the table makes the index again.'

function sealOf(path: string, page: number, bytes: Uint8Array): Buffer {
	return createHash('sha256').update(`${path}#${page}\n`).update(bytes.subarray(sealBytes)).digest()
}
