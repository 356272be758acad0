import { type ErrorCode, errorCodes, ReprieveError } from '@reprieve/contracts'
import { TRPCClientError } from '@trpc/client'

/** What the service sends in `data`, as far as this release knows it; newer fields are ignored. */
type SentProblem = {
	code: string
	detail?: string
	hint?: string
	retryable?: boolean
	issues?: { path: string; message: string }[]
	planId?: string
}

const known: ReadonlySet<string> = new Set(errorCodes)

/** The error of a call as a ReprieveError; an unknown code becomes INTERNAL, no answer at all UNAVAILABLE. */
export function toReprieveError(error: unknown): unknown {
	if (error instanceof ReprieveError || !(error instanceof TRPCClientError)) return error
	const sent = sentProblem(error)
	if (!sent) return unanswered(error)
	const code = known.has(sent.code) ? (sent.code as ErrorCode) : 'INTERNAL'
	const { hint, retryable, issues, planId } = sent
	return new ReprieveError(code, sent.detail ?? error.message, { hint, retryable, issues, planId, cause: error })
}

/** Whether the same call may succeed later: what the service says, or true when it said nothing at all. */
export function isRetryable(error: TRPCClientError<never>): boolean {
	const translated = toReprieveError(error)
	return translated instanceof ReprieveError && translated.retryable
}

/** The problem in the error's data, or bare: what is refused before any procedure is asked comes so. */
function sentProblem(error: TRPCClientError<never>): SentProblem | undefined {
	const bare = error.meta?.responseJSON as { type?: unknown } | undefined
	const isBare = typeof bare?.type === 'string' && bare.type.startsWith('urn:reprieve:error:')
	const data: unknown = isBare ? bare : error.data
	if (typeof data !== 'object' || data === null) return undefined
	return typeof (data as { code?: unknown }).code === 'string' ? (data as SentProblem) : undefined
}

function unanswered(error: TRPCClientError<never>): ReprieveError {
	const status = (error.meta?.response as { status?: number } | undefined)?.status
	if (status !== undefined && status < 500) {
		return new ReprieveError('INTERNAL', `the answer (status ${status}) is not reprieve's: ${error.message}`, {
			cause: error,
			hint: 'Check that the url is that of a reprieve service.',
		})
	}
	if (error.cause instanceof RangeError) {
		return new ReprieveError('INVALID', `the input cannot be sent: ${error.cause.message}`, { cause: error })
	}
	const why = reasonOf(error)
	return new ReprieveError('UNAVAILABLE', `no answer from the service: ${why}`, {
		cause: error,
		hint: 'Check that the service runs at this url and that the network lets you reach it.',
	})
}

/** fetch hides the reason (ECONNREFUSED) two causes deep. */
function reasonOf(error: Error): string {
	for (let at: unknown = error, depth = 0; at instanceof Error && depth < 5; at = at.cause, depth++) {
		const { code } = at as { code?: unknown }
		if (typeof code === 'string' && code !== '') return code
		if (at.name === 'TimeoutError') return 'the time is up'
	}
	return error.message
}
