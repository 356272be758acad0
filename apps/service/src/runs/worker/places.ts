/** Room for so much work at once; who comes then waits for its turn. */
export type Places = { hasRoom(): boolean; use<T>(work: () => Promise<T>): Promise<T> }

/** Makes room for `count` works at once, in the order in which they come. */
export function createPlaces(count: number): Places {
	const waiting: (() => void)[] = []
	let free = count
	return {
		hasRoom: () => free > 0,
		async use(work) {
			if (free > 0) free--
			else await new Promise<void>((resolve) => waiting.push(resolve))
			try {
				return await work()
			} finally {
				const next = waiting.shift()
				if (next) next()
				else free++
			}
		},
	}
}
