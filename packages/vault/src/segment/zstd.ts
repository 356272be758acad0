import { constants, createZstdCompress, createZstdDecompress, type ZstdCompress, type ZstdDecompress } from 'node:zlib'
import { Scratch } from './scratch.ts'

const level = 1

/** Of more bytes a second copy of the result costs more than room for all that it could take. */
const roomyBytes = 8 * 1024 * 1024

/** Node has no use for its own piece of memory here. */
const chunkSize = 64

/** Small results lie one behind the other in blocks of this size: memory of its own for each costs more than it takes up. */
const blockBytes = 1024 * 1024
const smallBytes = blockBytes / 4

const room = new Scratch()
const squeeze = passingThrough(() =>
	createZstdCompress({ chunkSize, params: { [constants.ZSTD_c_compressionLevel]: level } }),
)
const expand = passingThrough(() => createZstdDecompress({ chunkSize }))

let block = Buffer.alloc(0)
let used = 0

export function compress(bytes: Uint8Array): Uint8Array {
	const most = bytes.length + (bytes.length >> 8) + 1024
	if (most > smallBytes) return compressLarge(bytes, most)
	if (used + most > block.length) {
		block = Buffer.allocUnsafeSlow(blockBytes)
		used = 0
	}
	const from = used
	used += squeeze(bytes, block, { from, to: from + most })
	return block.subarray(from, used)
}

function compressLarge(bytes: Uint8Array, most: number): Uint8Array {
	const isLong = most > roomyBytes
	room.reset()
	const out = isLong ? Buffer.allocUnsafeSlow(most) : room.take(most)
	const size = squeeze(bytes, out, { from: 0, to: most })
	return isLong ? out.subarray(0, size) : Uint8Array.from(out.subarray(0, size))
}

/** What comes out has `size` bytes; throws where it has not. */
export function decompress(bytes: Uint8Array, size: number): Uint8Array {
	const out = new Scratch(size + 1)
	decompressTo(out, bytes, size)
	return out.written
}

/** The same behind what is written. */
export function decompressTo(out: Scratch, bytes: Uint8Array, size: number): void {
	const from = out.used
	// Room for one more byte tells the end.
	const to = from + size + 1
	expand(bytes, out.take(size + 1), { from, to, size })
	out.used = from + size
}

/** The two fields through which Node's own calls write. */
type Engine = (ZstdCompress | ZstdDecompress) & {
	_handle: {
		writeSync(
			flush: number,
			input: Uint8Array,
			at: number,
			size: number,
			out: Uint8Array,
			to: number,
			room: number,
		): void
	}
	/** Bytes left of the room, and of the input. */
	_writeState: Uint32Array
}

/**
 * A call that passes a whole frame through a context and answers the bytes written, which are `size` where that is given. The
 * context stays for the next call: making one and its memory, as Node's own calls do each, costs more than a page does. One that
 * failed is not used again.
 */
function passingThrough(open: () => ZstdCompress | ZstdDecompress) {
	let idle: Engine | undefined
	return (
		input: Uint8Array,
		out: Uint8Array,
		{ from, to, size }: { from: number; to: number; size?: number },
	): number => {
		const engine = idle ?? openEngine(open)
		idle = undefined
		engine._handle.writeSync(constants.ZSTD_e_end, input, 0, input.length, out, from, to - from)
		if (engine.errored) throw engine.errored
		const [left = 0, unread = 0] = engine._writeState
		if (left === 0 || unread > 0)
			throw new RangeError(`${to - from} bytes are no room for what comes of ${input.length}`)
		const got = to - from - left
		if (size !== undefined && got !== size) throw new RangeError(`a page has ${got} bytes, its header says ${size}`)
		idle = engine
		return got
	}
}

/** Who asks whether it failed need not be told. */
function openEngine(open: () => ZstdCompress | ZstdDecompress): Engine {
	return open().on('error', () => {}) as Engine
}
