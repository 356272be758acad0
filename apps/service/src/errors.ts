import { type ErrorCode, httpStatus, type Problem, ReprieveError } from '@reprieve/contracts'
import { TRPCError } from '@trpc/server'
import { ZodError } from 'zod'
import { isOutage } from './outage.ts'

/** What a code means, in a few words. */
export const titles: Record<ErrorCode, string> = {
	INVALID: 'The request is not valid',
	UNAUTHENTICATED: 'No valid key was sent',
	FORBIDDEN: 'The key may not do this',
	SELF_APPROVAL: 'The author may not approve',
	NOT_FOUND: 'There is no such thing',
	PLAN_EXPIRED: 'The plan has expired',
	PLAN_DRIFTED: 'The plan no longer matches the database',
	NOT_RESTORABLE: 'Deleted rows could not be restored',
	APPROVAL_REQUIRED: 'An approval is needed first',
	CONFLICT: 'Something else stands in the way',
	PARENT_MISSING: 'A parent row is missing',
	SCHEMA_DRIFT: 'The table has changed since',
	CAPTURE_GAP: 'The archive has a gap here',
	ON_HOLD: 'The table is on hold',
	ERASED: 'The subject was erased',
	TOO_LARGE: 'The request is too large',
	IDEMPOTENCY_MISMATCH: 'The idempotency key belongs to another request',
	LIMIT_EXCEEDED: 'A limit was exceeded',
	RATE_LIMITED: 'Too many calls',
	INTERNAL: 'Something went wrong inside',
	VAULT_CORRUPT: 'The vault holds a damaged object',
	UNAVAILABLE: 'The service cannot answer now',
	VAULT_UNAVAILABLE: 'The vault cannot be reached',
	ARCHIVE_LAGGING: 'The archive is behind',
}

/** The server ended the session or the statement for reasons of its own: idle for too long, took too long, its database dropped. */
const ended = /^(57P0[45]|25P0[34]|57014)$/
const contention = /^(40001|40P01|55P03)$/

/** The error as one of the closed codes; what is not ours becomes a neutral INTERNAL that keeps `cause` for the log. */
export function asReprieveError(error: unknown): ReprieveError {
	for (let at = error, depth = 0; at instanceof Error && depth < 8; at = at.cause, depth++) {
		if (at instanceof ReprieveError) return at
		const known = at instanceof TRPCError ? fromTransport(at) : fromDatabase(at)
		if (known) return known
	}
	return new ReprieveError('INTERNAL', 'the service failed; its log has the cause under the request id', {
		cause: error,
	})
}

/** What a surface shows of an error. */
export function problemOf(error: ReprieveError, requestId: string, status = httpStatus[error.code]): Problem {
	return {
		type: `urn:reprieve:error:${error.code}`,
		title: titles[error.code],
		status,
		detail: error.message,
		code: error.code,
		hint: error.hint,
		retryable: error.retryable,
		requestId,
		issues: error.issues,
		planId: error.planId,
	}
}

/** A refused input, one issue per field. */
function invalidInput(error: ZodError): ReprieveError {
	const issues = error.issues.map((issue) => ({ path: issue.path.join('.'), message: issue.message }))
	const [first] = issues
	const summary = first ? `${first.path ? `${first.path}: ` : ''}${first.message}` : 'not as declared'
	return new ReprieveError('INVALID', issues.length > 1 ? `${summary} (and ${issues.length - 1} more)` : summary, {
		issues,
		cause: error,
	})
}

const transportCodes: Partial<Record<TRPCError['code'], ErrorCode>> = {
	BAD_REQUEST: 'INVALID',
	PARSE_ERROR: 'INVALID',
	METHOD_NOT_SUPPORTED: 'INVALID',
	UNSUPPORTED_MEDIA_TYPE: 'INVALID',
	NOT_FOUND: 'NOT_FOUND',
	PAYLOAD_TOO_LARGE: 'TOO_LARGE',
}

function fromTransport(error: TRPCError): ReprieveError | undefined {
	if (error.cause instanceof ReprieveError) return error.cause
	if (error.code === 'BAD_REQUEST' && error.cause instanceof ZodError) return invalidInput(error.cause)
	const code = transportCodes[error.code]
	return code && new ReprieveError(code, error.message, { cause: error })
}

function fromDatabase(error: Error): ReprieveError | undefined {
	const code = (error as { code?: unknown }).code
	if (typeof code !== 'string') return undefined
	if (isOutage(code) || ended.test(code)) {
		return new ReprieveError('UNAVAILABLE', 'the database did not answer', { cause: error, hint: 'Call again later.' })
	}
	if (contention.test(code)) {
		return new ReprieveError('CONFLICT', 'another transaction held a lock for too long', {
			cause: error,
			retryable: true,
			hint: 'Call again later.',
		})
	}
	if (code === '42501') {
		return new ReprieveError('FORBIDDEN', `PostgreSQL refuses reprieve's role: ${error.message}`, {
			cause: error,
			hint: 'Give that role the right; docs/explanation/rights.md says which step needs which.',
		})
	}
	return undefined
}

const trpcCodes: Record<number, TRPCError['code']> = {
	400: 'BAD_REQUEST',
	401: 'UNAUTHORIZED',
	403: 'FORBIDDEN',
	404: 'NOT_FOUND',
	409: 'CONFLICT',
	410: 'NOT_FOUND',
	413: 'PAYLOAD_TOO_LARGE',
	422: 'UNPROCESSABLE_CONTENT',
	429: 'TOO_MANY_REQUESTS',
	503: 'SERVICE_UNAVAILABLE',
	504: 'GATEWAY_TIMEOUT',
}

/** The same error for tRPC, with the nearest of tRPC's own codes. */
export function asTrpcError(error: ReprieveError): TRPCError {
	const code = trpcCodes[httpStatus[error.code]] ?? 'INTERNAL_SERVER_ERROR'
	return new TRPCError({ code, message: error.message, cause: error })
}
