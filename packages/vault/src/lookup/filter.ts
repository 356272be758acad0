import type { TextColumn } from '@reprieve/contracts'
import type { Slice } from '../segment/slices.ts'
import { hashKeys, type Seed, seedOf } from './hash.ts'

/** Rows `start` to `end` of a segment, which lie in one slice, or in a segment without slices. */
export type FilterPart = { slice?: Slice; start: number; end: number }

/** What one part of a segment may hold. */
type Filter = { slice: Slice | undefined; bits: Uint8Array }

/** Of ten thousand keys that a part does not hold, about five pass. */
const bitsPerKey = 16
const probes = 11

/**
 * Bloom filters of a small segment's keys, given as the cells of each key column, one filter for each part, as an `add` carries
 * them until the key index covers it: `offset+size:bits` (`:bits` for a segment without slices), bits in base64, a space
 * between parts.
 */
export function formatFilters(path: string, key: readonly TextColumn[], parts: readonly FilterPart[]): string {
	const seed = filterSeed(path)
	return parts
		.map(({ slice, start, end }) => {
			const bits = new Uint8Array(Math.ceil(((end - start) * bitsPerKey) / 8))
			for (const hash of hashKeys(seed, key, { start, end }))
				for (const bit of bitsOf(hash, bits.length * 8)) bits[bit >> 3] = (bits[bit >> 3] as number) | (1 << (bit & 7))
			return `${slice ? `${slice.offset}+${slice.size}` : ''}:${Buffer.from(bits).toString('base64')}`
		})
		.join(' ')
}

/** Inverse of {@link formatFilters}. */
export function parseFilters(text: string): Filter[] {
	return text.split(' ').map((part) => {
		const [place = '', bits = ''] = part.split(':')
		const [offset, size] = place.split('+').map(Number)
		const slice = size === undefined ? undefined : { offset: offset as number, size }
		return { slice, bits: Buffer.from(bits, 'base64') }
	})
}

/** Seed of the hashes in a segment's filters: fresh segments are written before their table has an id. */
export function filterSeed(path: string): Seed {
	return seedOf(path.slice(path.lastIndexOf('/') + 1, path.lastIndexOf('.')))
}

/** Whether a part may hold a row whose key has this hash; when not, it holds none. */
export function mayHold({ bits }: Filter, hash: number): boolean {
	return bitsOf(hash, bits.length * 8).every((bit) => ((bits[bit >> 3] as number) & (1 << (bit & 7))) !== 0)
}

/** The bits of a hash: from its upper 32 bits on, in steps that follow from all 40. */
function bitsOf(hash: number, count: number): number[] {
	const high = Math.floor(hash / 256)
	const step = (Math.imul(high ^ (hash & 0xff), 0x9e37_79b1) | 1) >>> 0
	return Array.from({ length: probes }, (_, probe) => (high + probe * step) % count)
}
