import { httpStatus, type Problem } from '@reprieve/contracts'
import { initTRPC, type TRPCError } from '@trpc/server'
import type { RateLimit } from './access/rate.ts'
import { requireRole } from './access/roles.ts'
import type { Principal, Services } from './context.ts'
import { asReprieveError, asTrpcError, problemOf } from './errors.ts'
import { refuseUnstorable } from './input.ts'
import type { Meta } from './meta.ts'
import { record, recordRefusal } from './record.ts'
import { requestId } from './request.ts'

/** What one HTTP request brings to its procedures. */
export type Call = {
	services: Services
	rate: RateLimit
	/** Reads the key once a request. Throws UNAUTHENTICATED. */
	authenticate(): Promise<Principal>
}

/** The context stays opaque to tRPC's types, so that the router's type, which clients import, names nothing of the server. */
function callOf(ctx: object): Call {
	return ctx as Call
}

/** What tRPC refuses itself by a status that none of our codes has. */
const transportStatus: Partial<Record<TRPCError['code'], number>> = {
	METHOD_NOT_SUPPORTED: 405,
	UNSUPPORTED_MEDIA_TYPE: 415,
}

const t = initTRPC
	.context<object>()
	.meta<Meta>()
	.create({
		isDev: false,
		isServer: true,
		sse: { ping: { enabled: true, intervalMs: 5_000 }, client: { reconnectAfterInactivityMs: 15_000 } },
		errorFormatter: ({ shape, error, path }) => ({
			...shape,
			data: {
				...problemOf(asReprieveError(error), requestId(), transportStatus[error.code]),
				path,
			} satisfies Problem & { path?: string },
		}),
	})

export const createRouter = t.router
export const createCaller = t.createCallerFactory

/** Every failure below leaves as one of the closed codes, and what is not ours is logged. */
const mapped = t.procedure.use(async ({ ctx, path, next }) => {
	const result = await next()
	if (result.ok) return result
	const error = asReprieveError(result.error)
	if (httpStatus[error.code] >= 500) {
		callOf(ctx).services.log.error(
			{ err: error.cause ?? error, code: error.code, requestId: requestId(), path },
			error.message,
		)
	}
	throw asTrpcError(error)
})

const guarded = mapped.use(async ({ ctx, meta, path, type, getRawInput, next }) => {
	const { services, rate, authenticate } = callOf(ctx)
	const principal = await authenticate()
	rate.take(principal.id)
	const input = await getRawInput()
	try {
		refuseUnstorable(input)
	} catch (cause) {
		if (type === 'mutation') await recordRefusal(services, principal, path, asReprieveError(cause))
		throw cause
	}
	try {
		requireRole(principal, meta?.role ?? 'admin')
	} catch (cause) {
		await recordRefusal(services, principal, path, asReprieveError(cause), input)
		throw cause
	}
	return next({ ctx: { services, principal } })
})

/** Reads: audited only when a right is missing. */
export const query = guarded.use(async ({ ctx, path, getRawInput, next }) => {
	const result = await next()
	const error = result.ok ? undefined : asReprieveError(result.error)
	if (error?.code === 'FORBIDDEN') await recordRefusal(ctx.services, ctx.principal, path, error, await getRawInput())
	return result
})

/**
 * Changes: audited before and after, and done once however often they are repeated under one idempotency key. What they make
 * gets the id `newId`.
 */
export const command = guarded.use(async ({ ctx, meta, path, getRawInput, next }) =>
	record({ ...ctx, path, input: await getRawInput(), secret: meta?.secret ?? false }, (newId) =>
		next({ ctx: { newId } }),
	),
)
