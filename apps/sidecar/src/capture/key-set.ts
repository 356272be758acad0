import { hash } from 'node:crypto'

/** Few: every transaction opens a set, most add nothing. */
const initialSlots = 16
/** 32-bit words of a digest. */
const width = 4

/** A set of keys as 128-bit digests in one array: at most 64 bytes a key, however long the key is. */
export class KeySet {
	#slots = new Uint32Array(initialSlots * width)
	#size = 0

	add(key: string): void {
		if (this.#size * 2 >= this.#slots.length / width) this.#grow()
		const at = this.#find(digestOf(key))
		if (!isFree(this.#slots, at)) return
		this.#slots.set(digestOf(key), at)
		this.#size++
	}

	has(key: string): boolean {
		return this.#size > 0 && !isFree(this.#slots, this.#find(digestOf(key)))
	}

	/** The slot that holds a digest, or the free one where it belongs. */
	#find(digest: Uint32Array): number {
		const slots = this.#slots.length / width
		let at = ((digest[0] as number) % slots) * width
		while (!isFree(this.#slots, at) && !isAt(this.#slots, at, digest)) at = (at + width) % this.#slots.length
		return at
	}

	#grow(): void {
		const old = this.#slots
		this.#slots = new Uint32Array(old.length * 2)
		for (let at = 0; at < old.length; at += width) {
			if (isFree(old, at)) continue
			const digest = old.subarray(at, at + width)
			this.#slots.set(digest, this.#find(digest))
		}
	}
}

/** Never all zero in its final word, which marks a free slot. */
function digestOf(key: string): Uint32Array {
	const bytes = hash('sha1', Buffer.from(key, 'latin1'), 'buffer')
	const digest = new Uint32Array(bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + width * 4))
	digest[width - 1] = (digest[width - 1] as number) | 1
	return digest
}

function isFree(slots: Uint32Array, at: number): boolean {
	return slots[at + width - 1] === 0
}

function isAt(slots: Uint32Array, at: number, digest: Uint32Array): boolean {
	for (let word = 0; word < width; word++) if (slots[at + word] !== digest[word]) return false
	return true
}
