import { setTimeout as sleep } from 'node:timers/promises'

const pollMs = 200

/** Reads until `isDone` or, at the latest, `seconds` (default 0) later; answers what was read last. */
export async function waitFor<T>(
	read: () => Promise<T>,
	isDone: (value: T) => boolean,
	seconds: number | undefined,
): Promise<T> {
	const deadline = performance.now() + (seconds ?? 0) * 1000
	for (;;) {
		const value = await read()
		const left = deadline - performance.now()
		if (isDone(value) || left <= 0) return value
		await sleep(Math.min(pollMs, left))
	}
}
