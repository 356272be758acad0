/** Choices that can be had again from a seed (mulberry32). */
export class Random {
	#state: number

	constructor(seed: number) {
		this.#state = seed >>> 0
	}

	/** A whole number in [0, below). */
	below(below: number): number {
		this.#state = (this.#state + 0x6d2b79f5) >>> 0
		let mixed = Math.imul(this.#state ^ (this.#state >>> 15), this.#state | 1)
		mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
		return Math.floor((((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32) * below)
	}

	/** True so many times out of a thousand. */
	perMille(chance: number): boolean {
		return this.below(1_000) < chance
	}

	pick<T>(list: readonly T[]): T {
		return list[this.below(list.length)] as T
	}

	/** One of the keys, each as likely as its weight. */
	weighted<K extends string>(weights: Record<K, number>): K {
		const entries = Object.entries(weights) as [K, number][]
		let left = this.below(entries.reduce((sum, [, weight]) => sum + weight, 0))
		for (const [key, weight] of entries) {
			if (left < weight) return key
			left -= weight
		}
		throw new RangeError('no weight is above 0')
	}
}
