import type { Mapping } from './mapping.ts'

/** An update that is a relink if one of these parents is deleted by the same transaction. */
export type Candidate = { mapping: Mapping; ordinal: number; parents: string[]; columns: string[] }

/** Updates of the transaction under way that cannot be decided yet, as the bytes in which they came. */
export class RelinkSpool {
	/** Ordinal of the update that is being replayed. */
	ordinal = 0
	#updates: { ordinal: number; bytes: Uint8Array }[] = []

	get isEmpty(): boolean {
		return this.#updates.length === 0
	}

	add(bytes: Uint8Array, ordinal: number): void {
		this.#updates.push({ ordinal, bytes: Uint8Array.prototype.slice.call(bytes) })
	}

	/** Gives every update to the decoder again, in order, and forgets them. */
	async replay(decode: (message: Uint8Array) => void): Promise<void> {
		const updates = this.#updates
		this.#updates = []
		for (const update of updates) {
			this.ordinal = update.ordinal
			decode(update.bytes)
		}
	}
}
