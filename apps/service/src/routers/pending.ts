import { ReprieveError } from '@reprieve/contracts'

/** Stands where a verb is not wired. Throws UNAVAILABLE. */
export async function pending(): Promise<never> {
	throw new ReprieveError('UNAVAILABLE', 'this call is not served yet')
}
