import { setTimeout } from 'node:timers/promises'
import { isProtocolError } from './client.ts'

/** Milliseconds that brokers may take to know a topic that was made. */
export const spreadMs = 10_000

/** Milliseconds between looks. */
const lookMs = 50

/** Looks again when a look failed in such a way, for as long as brokers may take to know of each other's topics. */
export async function patiently<T>(look: () => Promise<T>, isPassing: (error: unknown) => boolean): Promise<T> {
	const deadline = performance.now() + spreadMs
	for (;;) {
		try {
			return await look()
		} catch (error) {
			if (performance.now() > deadline || !isPassing(error)) throw error
		}
		await setTimeout(lookMs)
	}
}

/** What a broker answers that has not heard yet of a topic that another has, or knows already that it is gone. */
export function isUnknownTopic(error: unknown): boolean {
	return isProtocolError(error, 'UNKNOWN_TOPIC_OR_PARTITION')
}
