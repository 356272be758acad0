import { hash } from 'node:crypto'

/** Few: most transactions that add anything add little. */
const initialSlots = 16
/** 32-bit words of a digest. */
const width = 4

const none = new Uint32Array(0)

/** A set of keys as 128-bit digests in one array: at most 64 bytes a key, however long the key is. */
export class KeySet {
	/** Every transaction opens a set, and most add nothing. */
	#slots = none
	#size = 0

	add(key: string): void {
		if (this.#size * 2 >= this.#slots.length / width) this.#grow()
		const digest = digestOf(key)
		const at = this.#find(digest)
		if (!isFree(this.#slots, at)) return
		this.#slots.set(digest, at)
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
		this.#slots = new Uint32Array(Math.max(old.length * 2, initialSlots * width))
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
