/** Numbers for tests that can be had again: in [0, below) from a seed (mulberry32). */
export function randomFrom(seed: number): (below: number) => number {
	let state = seed >>> 0
	return function next(below) {
		state = (state + 0x6d2b79f5) >>> 0
		let mixed = Math.imul(state ^ (state >>> 15), state | 1)
		mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
		return Math.floor((((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32) * below)
	}
}
