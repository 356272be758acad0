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
		if (placed.every((own) => own.length <= capacity)) return Buffer.concat(placed.map(encodePage(path, entries)))
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

type Placed = { at: number; isEverywhere: boolean }[]

/** The entries of each page. */
function placeEntries(
	entries: Entries,
	{ from, span, pages }: { from: number; span: number; pages: number },
): Placed[] {
	const placed: Placed[] = Array.from({ length: pages }, () => [])
	for (let at = 0; at < entries.count; at++)
		placed[partOf((entries.hash[at] as number) - from, span, pages)]?.push({ at, isEverywhere: false })
	return placed.map((own) => (own.length > capacity ? collapse(entries, own) : own))
}

function collapse(entries: Entries, own: Placed): Placed {
	const byHash = Map.groupBy(own, ({ at }) => entries.hash[at])
	return [...byHash.values()].flatMap((places) =>
		places.length > maxPlaces ? [{ at: places[0]?.at as number, isEverywhere: true }] : places,
	)
}

function encodePage(path: string, entries: Entries): (own: Placed, page: number) => Buffer {
	return (own, page) => {
		const bytes = Buffer.alloc(pageBytes)
		bytes.writeUInt16LE(own.length, sealBytes)
		own.forEach(({ at, isEverywhere }, place) => {
			const start = sealBytes + countBytes + place * entryBytes
			bytes.writeUIntLE(entries.hash[at] as number, start, 5)
			bytes.writeUIntLE(isEverywhere ? everywhere : (entries.segment[at] as number), start + 5, 3)
			bytes.writeUIntLE(entries.offset[at] as number, start + 8, 3)
			bytes.writeUInt16LE(entries.size[at] as number, start + 11)
		})
		sealOf(path, page, bytes).copy(bytes)
		return bytes
	}
}

/** What to do about a damaged index object: it holds nothing that the segments do not. */
export const rebuildHint = 'Delete this object; the next compaction of the table makes the index again.'

function sealOf(path: string, page: number, bytes: Uint8Array): Buffer {
	return createHash('sha256').update(`${path}#${page}\n`).update(bytes.subarray(sealBytes)).digest()
}
