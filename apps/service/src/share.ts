import { asReprieveError } from './errors.ts'

/** A reading that hangs for longer (ms) is not waited for any more: the next one begins beside it. */
const patienceMs = 1_000

type Reading<T> = { running?: Promise<T>; next?: Promise<T> }

/**
 * A read that all who ask the same share: of one context and key at most one is under way while one waits for its turn,
 * which comes with a turn of the event loop at the earliest, so that all whose requests came together wait for one. What is
 * answered was read after it was asked for, so that no answer is older than its question.
 */
export function shareReads<Context extends object, T>(
	open: (context: Context) => (key: string) => Promise<T>,
): (context: Context, key: string) => Promise<T> {
	const share = perContext((context: Context) => shareOf(open(context)))
	return (context, key) => share(context)(key)
}

function shareOf<T>(read: (key: string) => Promise<T>): (key: string) => Promise<T> {
	const share = shareByKey<T>()
	return (key) => share(key, () => read(key))
}

/**
 * As {@link shareReads}, of all keys at once: a reading takes every key that was asked for while the one before it was under
 * way. Each gets what its own key stands for, undefined where that is nothing. Where a reading of several keys fails, each is
 * read by itself, for all who ask for it: nobody's key fails because of another's. When the database does not answer, all fail at once.
 */
export function gatherReads<Context extends object, T>(
	open: (context: Context) => (keys: string[]) => Promise<ReadonlyMap<string, T>>,
): (context: Context, key: string) => Promise<T | undefined> {
	const gather = perContext((context: Context) => gatherOf(open(context)))
	return (context, key) => gather(context)(key)
}

function gatherOf<T>(
	read: (keys: string[]) => Promise<ReadonlyMap<string, T>>,
): (key: string) => Promise<T | undefined> {
	const share = shareByKey<ReadonlyMap<string, T> | undefined>()
	const readAlone = shareOf((key) => read([key]))
	let gathered = new Set<string>()
	const readGathered = async () => {
		const keys = [...gathered]
		gathered = new Set()
		return await read(keys).catch((error: unknown) => {
			if (keys.length === 1 || asReprieveError(error).code === 'UNAVAILABLE') throw error
			return undefined
		})
	}
	return async (key) => {
		gathered.add(key)
		const found = (await share('', readGathered)) ?? (await readAlone(key))
		return found.get(key)
	}
}

/** Makes what belongs to a context when it is first asked for. */
function perContext<Context extends object, T>(make: (context: Context) => T): (context: Context) => T {
	const all = new WeakMap<Context, T>()
	return (context) => {
		const made = all.get(context) ?? make(context)
		all.set(context, made)
		return made
	}
}

/** As {@link shareReads}, of one context; who asks first reads for all that share. */
export function shareByKey<T>(): (key: string, read: () => Promise<T>) => Promise<T> {
	const readings = new Map<string, Reading<T>>()
	const begin = (key: string, read: () => Promise<T>) => {
		const reading: Reading<T> = {}
		readings.set(key, reading)
		reading.running = read()
		const forget = () => {
			if (readings.get(key) === reading && !reading.next) readings.delete(key)
		}
		reading.running.then(forget, forget)
		return reading.running
	}
	return (key, read) => {
		const reading = readings.get(key) ?? {}
		readings.set(key, reading)
		reading.next ??= turnAfter(reading.running).then(() => begin(key, read))
		return reading.next
	}
}

function turnAfter(running: Promise<unknown> | undefined): Promise<void> {
	return running === undefined ? nextTurn() : settled(running).then(nextTurn)
}

let turn: Promise<void> | undefined

/** The next turn of the event loop: one promise for all who wait for it, whatever they read. */
function nextTurn(): Promise<void> {
	turn ??= new Promise((resolve) => {
		setImmediate(() => {
			turn = undefined
			resolve()
		})
	})
	return turn
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
