import { ReprieveError } from '@reprieve/contracts'
import { type Clock, systemClock } from '../clock.ts'

/** As the promise; throws UNAVAILABLE when it has not settled in time. What it does then is of no interest any more. */
export async function within<T>(ms: number, what: string, promise: Promise<T>, clock: Clock = systemClock): Promise<T> {
	let callOff = () => {}
	const late = new Promise<never>((_, reject) => {
		const error = new ReprieveError('UNAVAILABLE', `waited ${ms} ms for ${what}`, { retryable: true })
		callOff = clock.after(ms, () => reject(error))
	})
	try {
		return await Promise.race([promise, late])
	} finally {
		callOff()
		promise.catch(() => {})
	}
}
