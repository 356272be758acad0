import { randomFrom } from '@reprieve/cdc/random'

/** The same seed gives the same choices for ever. */
export type Random = {
	/** An integer from `from` to `to`, both inclusive. */
	int(from: number, to: number): number
	/** True in `percent` of 100 cases. */
	chance(percent: number): boolean
	pick<T>(of: readonly T[]): T
	/** A new array of the same items in another order. */
	shuffle<T>(of: readonly T[]): T[]
}

export function seededRandom(seed: number): Random {
	const below = randomFrom(Math.imul(seed, 0x9e3779b1))
	const int = (from: number, to: number) => from + below(to - from + 1)
	return {
		int,
		chance: (percent) => below(100) < percent,
		pick: (of) => of[int(0, of.length - 1)] as (typeof of)[number],
		shuffle(of) {
			const items = [...of]
			for (let last = items.length - 1; last > 0; last--) {
				const other = int(0, last)
				const held = items[last]
				items[last] = items[other] as (typeof items)[number]
				items[other] = held as (typeof items)[number]
			}
			return items
		},
	}
}
