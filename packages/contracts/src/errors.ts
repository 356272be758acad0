/** Every error code of reprieve, total on every surface (REST, tRPC, CLI, client). */
export const errorCodes = [
	'INVALID',
	'UNAUTHENTICATED',
	'FORBIDDEN',
	'SELF_APPROVAL',
	'NOT_FOUND',
	'PLAN_EXPIRED',
	'PLAN_DRIFTED',
	'NOT_RESTORABLE',
	'APPROVAL_REQUIRED',
	'CONFLICT',
	'PARENT_MISSING',
	'SCHEMA_DRIFT',
	'CAPTURE_GAP',
	'ON_HOLD',
	'ERASED',
	'TOO_LARGE',
	'IDEMPOTENCY_MISMATCH',
	'LIMIT_EXCEEDED',
	'RATE_LIMITED',
	'INTERNAL',
	'VAULT_CORRUPT',
	'UNAVAILABLE',
	'VAULT_UNAVAILABLE',
	'ARCHIVE_LAGGING',
] as const

export type ErrorCode = (typeof errorCodes)[number]

/** HTTP status of each code. */
export const httpStatus: Record<ErrorCode, number> = {
	INVALID: 400,
	UNAUTHENTICATED: 401,
	FORBIDDEN: 403,
	SELF_APPROVAL: 403,
	NOT_FOUND: 404,
	PLAN_EXPIRED: 410,
	PLAN_DRIFTED: 409,
	NOT_RESTORABLE: 409,
	APPROVAL_REQUIRED: 409,
	CONFLICT: 409,
	PARENT_MISSING: 409,
	SCHEMA_DRIFT: 409,
	CAPTURE_GAP: 409,
	ON_HOLD: 409,
	ERASED: 409,
	TOO_LARGE: 413,
	IDEMPOTENCY_MISMATCH: 422,
	LIMIT_EXCEEDED: 422,
	RATE_LIMITED: 429,
	INTERNAL: 500,
	VAULT_CORRUPT: 500,
	UNAVAILABLE: 503,
	VAULT_UNAVAILABLE: 503,
	ARCHIVE_LAGGING: 504,
}

const exitByStatus: Record<number, number> = {
	400: 2,
	401: 3,
	403: 3,
	404: 4,
	410: 4,
	409: 5,
	413: 6,
	422: 6,
	429: 6,
	500: 70,
	503: 75,
	504: 75,
}

/** CLI exit code of each error code. */
export function exitCode(code: ErrorCode): number {
	return exitByStatus[httpStatus[code]] ?? 70
}

const retryableCodes: ReadonlySet<ErrorCode> = new Set([
	'RATE_LIMITED',
	'UNAVAILABLE',
	'VAULT_UNAVAILABLE',
	'ARCHIVE_LAGGING',
])

export type ErrorOptions = {
	/** What the operator does next, one sentence. */
	hint?: string
	/** Whether the same call may succeed later unchanged. Default: by code. */
	retryable?: boolean
	cause?: unknown
	/** One entry per refused field of the input. */
	issues?: { path: string; message: string }[]
	planId?: string
}

/** The one error type of every surface; `code` is the closed union above. */
export class ReprieveError extends Error {
	readonly code: ErrorCode
	readonly hint: string | undefined
	readonly retryable: boolean
	readonly issues: { path: string; message: string }[] | undefined
	readonly planId: string | undefined

	constructor(code: ErrorCode, message: string, options: ErrorOptions = {}) {
		super(message, options.cause === undefined ? undefined : { cause: options.cause })
		this.name = 'ReprieveError'
		this.code = code
		this.hint = options.hint
		this.retryable = options.retryable ?? retryableCodes.has(code)
		this.issues = options.issues
		this.planId = options.planId
	}
}
