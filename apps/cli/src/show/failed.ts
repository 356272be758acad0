import { type ErrorCode, errorCodes, type Failure, ReprieveError } from '@reprieve/contracts'

/** What ended a job, as the error that decides the exit code. */
export function failed(job: { id: string; failure?: Failure }): ReprieveError {
	const { code, message = `${job.id} failed`, hint } = job.failure ?? {}
	const known = errorCodes.find((each): each is ErrorCode => each === code) ?? 'INTERNAL'
	return new ReprieveError(known, message, { hint })
}
