import type { TextColumn } from '@reprieve/contracts'
import type { Cell } from '../segment/read.ts'

/** Hashes of keys are whole numbers below this. */
export const hashSpan = 2 ** 40

/** What a NULL has in place of a length. */
const nullLength = 0xffff_ffff

const primeA = 0x0100_0193
const primeB = 0x5bd1_e995

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
			a = Math.imul(a ^ byte, primeA)
			b = Math.imul(b ^ byte, primeB)
		}
	}
	return finished(a, b)
}

/** {@link hashKey} of each of the rows, given as the cells of each key column. */
export function hashKeys(
	[seedA, seedB]: Seed,
	key: readonly TextColumn[],
	{ start, end }: { start: number; end: number },
): Float64Array {
	const a = new Int32Array(end - start).fill(seedA)
	const b = new Int32Array(end - start).fill(seedB)
	for (const { bytes, offsets, present } of key) {
		for (let row = 0, from = offsets[start] as number; row < a.length; row++) {
			const to = offsets[start + row + 1] as number
			const length = present[start + row] === 1 ? to - from : nullLength
			let ownA = a[row] as number
			let ownB = b[row] as number
			for (let shift = 0; shift < 32; shift += 8) {
				const byte = (length >>> shift) & 0xff
				ownA = Math.imul(ownA ^ byte, primeA)
				ownB = Math.imul(ownB ^ byte, primeB)
			}
			for (; from < to; from++) {
				const byte = bytes[from] as number
				ownA = Math.imul(ownA ^ byte, primeA)
				ownB = Math.imul(ownB ^ byte, primeB)
			}
			a[row] = ownA
			b[row] = ownB
		}
	}
	const hashes = new Float64Array(end - start)
	for (let row = 0; row < a.length; row++) hashes[row] = finished(a[row] as number, b[row] as number)
	return hashes
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

function finished(a: number, b: number): number {
	return mix(a) * 256 + (mix(b) >>> 24)
}

/** Spreads every bit over all. */
function mix(sum: number): number {
	let word = sum
	word = Math.imul(word ^ (word >>> 16), 0x85eb_ca6b)
	word = Math.imul(word ^ (word >>> 13), 0xc2b2_ae35)
	return (word ^ (word >>> 16)) >>> 0
}
