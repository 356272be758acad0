/** Memory that is handed out again, in the same order, from each `reset` on: fresh memory for each column is more garbage. */
export class Room {
	readonly #buffers: ArrayBuffer[] = []
	#taken = 0

	/** At least so many bytes, the first of them zeros, in whole words; valid until the next reset. */
	take(size: number): ArrayBuffer {
		const at = this.#taken++
		const known = this.#buffers[at]
		if (known && known.byteLength >= size) {
			new Uint8Array(known, 0, size).fill(0)
			return known
		}
		const fresh = new ArrayBuffer(Math.ceil(size / wordBytes) * wordBytes)
		this.#buffers[at] = fresh
		return fresh
	}

	reset(): void {
		this.#taken = 0
	}
}

/** Of the largest type that is laid over what was taken for another. */
const wordBytes = 16
