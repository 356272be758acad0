import type { Cell } from '../segment/read.ts'

/** Hashes of keys are whole numbers below this. */
export const hashSpan = 2 ** 40

/** What a NULL has in place of a length. */
const nullLength = 0xffff_ffff

/** Starting values of a table's hashes, from its random id, so that nobody outside can choose keys that crowd together. */
export type Seed = readonly [number, number]

/** The seed of the table with this id, a UUID: its first and its last 32 bits. */
export function seedOf(id: string): Seed {
	return [Number.parseInt(id.slice(0, 8), 16), Number.parseInt(id.slice(-8), 16)]
}

/**
 * Hash of a key's cells, in the order of the schema version's key: two FNV-1a sums over each cell's length (32 bits, little
 * endian) and bytes, mixed; 32 bits of the first, then 8 of the second. Equal texts have equal hashes, whatever their type.
 */
export function hashKey([seedA, seedB]: Seed, cells: readonly Cell[]): number {
	let a = seedA
	let b = seedB
	for (let cell = 0; cell < cells.length; cell++) {
		const own = cells[cell] as Cell
		const bytes = typeof own === 'string' ? bytesOf(own) : own
		const length = bytes === null ? nullLength : bytes.length
		for (let at = -4; at < (bytes?.length ?? 0); at++) {
			const byte = at < 0 ? (length >>> ((at + 4) * 8)) & 0xff : ((bytes as Uint8Array)[at] as number)
			a = Math.imul(a ^ byte, 0x0100_0193)
			b = Math.imul(b ^ byte, 0x5bd1_e995)
		}
	}
	return mix(a) * 256 + (mix(b) >>> 24)
}

/** A short text, which a call that leaves JavaScript costs more than; valid until the next. */
const short = Buffer.alloc(32)

function bytesOf(text: string): Uint8Array {
	if (text.length > short.length) return Buffer.from(text)
	for (let at = 0; at < text.length; at++) {
		const code = text.charCodeAt(at)
		if (code > 127) return Buffer.from(text)
		short[at] = code
	}
	return shorts[text.length] as Uint8Array
}

const shorts = Array.from({ length: short.length + 1 }, (_, length) => short.subarray(0, length))

/** Spreads every bit over all. */
function mix(sum: number): number {
	let word = sum
	word = Math.imul(word ^ (word >>> 16), 0x85eb_ca6b)
	word = Math.imul(word ^ (word >>> 13), 0xc2b2_ae35)
	return (word ^ (word >>> 16)) >>> 0
}
