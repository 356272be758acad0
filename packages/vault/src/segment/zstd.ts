import { constants, zstdCompressSync, zstdDecompressSync } from 'node:zlib'

const level = 1

/** Of more bytes a second copy of the result costs more than room for all that it could take. */
const roomyBytes = 64 * 1024 * 1024

/** The result grows by a quarter of the input at a time: room for all that it could take would be mostly waste. */
export function compress(bytes: Uint8Array): Uint8Array {
	const isLong = bytes.length > roomyBytes
	return detach(zstdCompressSync, bytes, {
		chunkSize: isLong ? bytes.length + (bytes.length >> 7) : Math.max(4096, bytes.length >> 2),
		params: { [constants.ZSTD_c_compressionLevel]: level },
	})
}

/** What comes out has `size` bytes: room for one more tells the end without another piece. */
export function decompress(bytes: Uint8Array, size: number): Uint8Array {
	return detach(zstdDecompressSync, bytes, { chunkSize: Math.max(64, size + 1) })
}

type Options = { chunkSize: number; params?: Record<number, number> }

/**
 * Node's handle of a call outlives it up to the next collection of the whole heap, and so would the piece of memory that it
 * wrote to, though nobody reads it any more: thousands of calls hold all that went through them.
 */
function detach(
	call: (bytes: Uint8Array, options: Options & { info: true }) => unknown,
	bytes: Uint8Array,
	options: Options,
): Uint8Array {
	const { buffer, engine } = call(bytes, { ...options, info: true }) as { buffer: Uint8Array; engine: Handle }
	engine._outBuffer = null
	return buffer
}

type Handle = { _outBuffer?: unknown }
