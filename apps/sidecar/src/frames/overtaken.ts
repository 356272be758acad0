import { ReprieveError } from '@reprieve/contracts'

/** Another instance archived what this one held: it reads the vault again and goes on behind it. */
export function overtakenBy(what: string): ReprieveError {
	return new ReprieveError('CONFLICT', `another archiver took over ${what} meanwhile`, {
		hint: 'Nothing to do: what it archived is not archived again.',
		retryable: true,
	})
}
