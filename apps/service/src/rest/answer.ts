import { httpStatus, type Problem, ReprieveError } from '@reprieve/contracts'
import { asReprieveError, problemOf } from '../errors.ts'
import { requestId } from '../request.ts'
import { unsupportedMediaType } from './read-input.ts'

/** A refusal as `application/problem+json`. */
export function problemResponse(
	error: unknown,
	options: { status?: number; headers?: Record<string, string> } = {},
): Response {
	const refused = asReprieveError(error)
	const status = options.status ?? statusOf(refused)
	const problem: Problem = problemOf(refused, requestId(), status)
	return new Response(JSON.stringify(problem), {
		status,
		headers: { 'content-type': 'application/problem+json', ...headersFor(status), ...options.headers },
	})
}

/** What no route serves. */
export function notFound(path: string): ReprieveError {
	return new ReprieveError('NOT_FOUND', `there is nothing at ${path}`, {
		hint: 'See /api/v1/openapi.json for every call.',
	})
}

function statusOf(error: ReprieveError): number {
	return error.code === 'INVALID' && error.message === unsupportedMediaType ? 415 : httpStatus[error.code]
}

function headersFor(status: number): Record<string, string> {
	if (status === 401) return { 'www-authenticate': 'Bearer' }
	return status === 429 || status === 503 ? { 'retry-after': '5' } : {}
}
