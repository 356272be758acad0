import { randomFrom } from '@reprieve/cdc/random'

/** Choices that can be had again from a seed. */
export class Random {
	/** A whole number in [0, below). */
	readonly below: (below: number) => number

	constructor(seed: number) {
		this.below = randomFrom(seed)
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
