import { randomBytes } from 'node:crypto'
import { setImmediate } from 'node:timers/promises'
import { zstdCompressSync, zstdDecompressSync } from 'node:zlib'
import { expect, test } from 'vitest'
import { compress, decompress } from './zstd.ts'

const page = Buffer.from(Array.from({ length: 5_000 }, (_, row) => `row ${row}, `).join(''))

test.each([
	['nothing', Buffer.alloc(0)],
	['a page', page],
	['a page that cannot be made smaller', randomBytes(100_000)],
	['a long page', Buffer.concat(Array.from({ length: 200 }, () => page))],
])('%s comes back, and is what anybody reads', (_, bytes) => {
	for (let again = 0; again < 2; again++) {
		const frame = compress(bytes)
		expect(bytes.equals(decompress(frame, bytes.length))).toBe(true)
		expect(bytes.equals(zstdDecompressSync(frame))).toBe(true)
		expect(bytes.equals(decompress(zstdCompressSync(bytes), bytes.length))).toBe(true)
	}
})

test('a frame that is damaged, cut short or of another size is refused, and the next one is not', async () => {
	const frame = compress(page)
	const failing: [Uint8Array, number][] = [
		[Buffer.from('no frame at all'), 10],
		[frame.subarray(0, -1), page.length],
		[frame.subarray(0, 5), page.length],
		[frame, page.length - 1],
		[frame, page.length + 1],
	]
	for (const [bytes, size] of failing) {
		expect(() => decompress(bytes, size)).toThrow()
		expect(page.equals(decompress(frame, page.length))).toBe(true)
	}
	// What a context says of its failure later than to its caller ends no process.
	await setImmediate()
})
