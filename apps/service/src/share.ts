/** A reading that hangs for longer (ms) is not waited for any more: the next one begins beside it. */
const patienceMs = 1_000

type Reading<T> = { running: Promise<T>; next?: Promise<T> }

/**
 * A read that all who ask the same share: of one context and key at most one is under way while one waits for its turn. What
 * is answered was read after it was asked for, so that no answer is older than its question.
 */
export function shareReads<Context extends object, T>(
	read: (context: Context, key: string) => Promise<T>,
): (context: Context, key: string) => Promise<T> {
	const all = new WeakMap<Context, Map<string, Reading<T>>>()
	const begin = (context: Context, readings: Map<string, Reading<T>>, key: string) => {
		const reading: Reading<T> = { running: read(context, key) }
		readings.set(key, reading)
		const forget = () => {
			if (readings.get(key) === reading && !reading.next) readings.delete(key)
		}
		reading.running.then(forget, forget)
		return reading.running
	}
	return (context, key) => {
		const readings = all.get(context) ?? new Map<string, Reading<T>>()
		all.set(context, readings)
		const reading = readings.get(key)
		if (!reading) return begin(context, readings, key)
		reading.next ??= settled(reading.running).then(() => begin(context, readings, key))
		return reading.next
	}
}

/** Resolves when the promise is settled, or patience is at its end. */
async function settled(promise: Promise<unknown>): Promise<void> {
	const { promise: done, resolve } = Promise.withResolvers<void>()
	const timer = setTimeout(resolve, patienceMs)
	promise.then(
		() => resolve(),
		() => resolve(),
	)
	await done
	clearTimeout(timer)
}
