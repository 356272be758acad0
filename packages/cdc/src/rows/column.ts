import type { TextColumn } from '@reprieve/contracts'

/** A first value of so many bytes is not copied, and memory beyond it is not kept. */
const longBytes = 16 * 1024 * 1024
/** Up to this size a loop is faster than a call that leaves JavaScript. */
const shortBytes = 48

const none: TextColumn = { bytes: new Uint8Array(0), offsets: new Uint32Array(1), present: new Uint8Array(0) }

/** A {@link TextColumn} that grows: values are copied in as bytes, no strings are made. What a long value came in must not change. */
export class ColumnBuilder {
	#bytes: Uint8Array
	#offsets: Uint32Array
	#present: Uint8Array
	#count: number
	#length: number

	/** Begins with a copy of `column`. */
	constructor({ bytes, offsets, present }: TextColumn = none) {
		this.#count = present.length
		const [first, end] = [offsets[0] as number, offsets[this.#count] as number]
		this.#length = end - first
		this.#bytes = new Uint8Array(Math.max(1024, this.#length))
		this.#offsets = new Uint32Array(Math.max(64, this.#count + 1))
		this.#present = new Uint8Array(this.#offsets.length)
		this.#bytes.set(bytes.subarray(first, end))
		this.#offsets.set(first === 0 ? offsets : offsets.map((offset) => offset - first))
		this.#present.set(present)
	}

	/** Bytes of all values. */
	get length(): number {
		return this.#length
	}

	/** Appends bytes[start .. start + length] of `source`; a negative length appends NULL. */
	append(source: Uint8Array, start: number, length: number): void {
		if (this.#count + 2 > this.#offsets.length) this.#growRows()
		if (length >= 0) {
			if (this.#length === 0 && length > longBytes) this.#bytes = source.subarray(start, start + length)
			else this.#put(source, start, length)
			this.#present[this.#count] = 1
			this.#length += length
		} else this.#present[this.#count] = 0
		this.#count++
		this.#offsets[this.#count] = this.#length
	}

	/** Rows [from, to) as a column of its own; views unless the offsets must be shifted. */
	slice(from: number, to: number): TextColumn {
		const first = this.#offsets[from] as number
		const offsets = this.#offsets.subarray(from, to + 1)
		return {
			bytes: this.#bytes.subarray(first, this.#offsets[to]),
			offsets: first === 0 ? offsets : offsets.map((offset) => offset - first),
			present: this.#present.subarray(from, to),
		}
	}

	/** Forgets all rows and keeps the memory; earlier slices are overwritten by what comes. */
	reset(): void {
		if (this.#bytes.length > longBytes) this.#bytes = new Uint8Array(1024)
		this.#count = 0
		this.#length = 0
	}

	#put(source: Uint8Array, start: number, length: number): void {
		const to = this.#length
		if (to + length > this.#bytes.length) this.#growBytes(to + length)
		const bytes = this.#bytes
		if (length > shortBytes) bytes.set(source.subarray(start, start + length), to)
		else for (let at = 0; at < length; at++) bytes[to + at] = source[start + at] as number
	}

	#growRows(): void {
		const offsets = new Uint32Array(this.#offsets.length * 2)
		offsets.set(this.#offsets)
		const present = new Uint8Array(offsets.length)
		present.set(this.#present)
		this.#offsets = offsets
		this.#present = present
	}

	#growBytes(needed: number): void {
		const bytes = new Uint8Array(Math.max(needed, this.#bytes.length * 2))
		bytes.set(this.#bytes.subarray(0, this.#length))
		this.#bytes = bytes
	}
}
