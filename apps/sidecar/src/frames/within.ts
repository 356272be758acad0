import { ReprieveError } from '@reprieve/contracts'

/** As the promise; throws UNAVAILABLE when it has not settled in time. What it does then is of no interest any more. */
export async function within<T>(ms: number, what: string, promise: Promise<T>): Promise<T> {
	let timer: NodeJS.Timeout | undefined
	const late = new Promise<never>((_, reject) => {
		const error = new ReprieveError('UNAVAILABLE', `waited ${ms} ms for ${what}`, { retryable: true })
		timer = setTimeout(() => reject(error), ms)
	})
	try {
		return await Promise.race([promise, late])
	} finally {
		clearTimeout(timer)
		promise.catch(() => {})
	}
}
