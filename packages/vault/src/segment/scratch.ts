/** Bytes that are written from the beginning again and again. */
export class Scratch {
	#bytes: Buffer
	used = 0

	constructor(size = freshBytes) {
		this.#bytes = Buffer.allocUnsafeSlow(size)
	}

	/** Everything written since `used` was 0; valid until the next write. */
	get written(): Buffer {
		return this.#bytes.subarray(0, this.used)
	}

	/** Claims `size` bytes behind what was written: the whole buffer, to be written from `used - size` on. */
	take(size: number): Buffer {
		const end = this.used + size
		if (end > mostBytes) throw new RangeError(`${end} bytes of values at once, ${mostBytes} are the most`)
		if (end > this.#bytes.length) {
			const larger = Buffer.allocUnsafeSlow(Math.max(end, this.#bytes.length * 2))
			larger.set(this.written)
			this.#bytes = larger
		}
		this.used = end
		return this.#bytes
	}

	put(bytes: Uint8Array): void {
		const start = this.used
		this.take(bytes.length).set(bytes, start)
	}

	/** Forgets everything; a buffer that grew beyond `keptBytes` goes too. */
	reset(): void {
		this.used = 0
		if (this.#bytes.length > keptBytes) this.#bytes = Buffer.allocUnsafeSlow(freshBytes)
	}
}

/** Places beyond do not fit what holds them: Node's own calls would write to the beginning instead, without an error. */
const mostBytes = 2 ** 31 - 1
const freshBytes = 256 * 1024
const keptBytes = 16 * 1024 * 1024
