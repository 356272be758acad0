import { PoisonRecord } from './poison.ts'

const newline = 10

/** Takes a payload's buffers one behind the other; each is checked against what there is. Throws PoisonRecord. */
export class Buffers {
	#bytes: Uint8Array
	#at = 0

	constructor(bytes: Uint8Array) {
		// Never a Buffer: its slice() is a view, which whoever holds a column does not expect.
		this.#bytes = new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.length)
	}

	/** Up to the next end of a line. */
	line(): Uint8Array {
		const end = this.#bytes.indexOf(newline, this.#at)
		if (end < 0) throw new PoisonRecord('lengths', `the payload of ${this.#bytes.length} bytes has no line`)
		return this.bytes(end + 1 - this.#at)
	}

	bytes(length: number): Uint8Array {
		const left = this.#bytes.length - this.#at
		if (length > left) throw new PoisonRecord('lengths', `a buffer of ${length} bytes, and ${left} are left`)
		this.#at += length
		return this.#bytes.subarray(this.#at - length, this.#at)
	}

	/** A view where the machine can have one, else a copy. */
	uint32(count: number): Uint32Array {
		const bytes = this.bytes(count * 4)
		const aligned = bytes.byteOffset % 4 === 0 ? bytes : new Uint8Array(bytes)
		return new Uint32Array(aligned.buffer, aligned.byteOffset, count)
	}

	/** Numbers of 1, 2 or 4 bytes. */
	numbers(width: 1 | 2 | 4, count: number): Uint8Array | Uint16Array | Uint32Array {
		if (width === 4) return this.uint32(count)
		if (width === 1) return this.bytes(count)
		const bytes = this.bytes(count * 2)
		const aligned = bytes.byteOffset % 2 === 0 ? bytes : new Uint8Array(bytes)
		return new Uint16Array(aligned.buffer, aligned.byteOffset, count)
	}

	/** All must have been taken. */
	close(): void {
		const left = this.#bytes.length - this.#at
		if (left > 0) throw new PoisonRecord('lengths', `${left} of ${this.#bytes.length} bytes are behind the last buffer`)
	}
}
