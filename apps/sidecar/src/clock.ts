/** Time as a session sees it: it never goes back, and nobody sets it. */
export type Clock = {
	/** Milliseconds since some moment. */
	now(): number
	/** Does something once, later; answers what calls it off. */
	after(ms: number, work: () => void): () => void
	/** Does something at an interval; answers what ends it. */
	every(ms: number, work: () => void): () => void
}

export const systemClock: Clock = {
	now: () => performance.now(),
	after(ms, work) {
		const timer = setTimeout(work, ms)
		return () => clearTimeout(timer)
	},
	every(ms, work) {
		const timer = setInterval(work, ms)
		return () => clearInterval(timer)
	},
}
