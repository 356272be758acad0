/** Room for so many runs at work. */
export type Places = {
	count: number
	/** Whether there is room that nobody waits for. */
	hasRoom(): boolean
	/** Works in a place; undefined where there is none: then the owner comes before whoever has not asked yet. */
	tryUse<T>(owner: object, work: () => Promise<T>): Promise<T | undefined>
	/** The owner wants no place any more. */
	forget(owner: object): void
}

/** Makes room for `count` runs at once; `freed` is called when a place is left. */
export function createPlaces(count: number, freed: () => void): Places {
	const wanted = new Set<object>()
	let free = count
	const use = async <T>(work: () => Promise<T>): Promise<T> => {
		free--
		try {
			return await work()
		} finally {
			free++
			freed()
		}
	}
	return {
		count,
		hasRoom: () => free > wanted.size,
		async tryUse(owner, work) {
			if (free > 0) {
				wanted.delete(owner)
				return await use(work)
			}
			wanted.add(owner)
			return undefined
		},
		forget: (owner) => void wanted.delete(owner),
	}
}
