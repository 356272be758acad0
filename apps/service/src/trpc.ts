import { httpStatus, type Problem } from '@reprieve/contracts'
import { initTRPC, type TRPCProcedureType as ProcedureType, type TRPCError } from '@trpc/server'
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

type Asked = { meta?: Meta | undefined; path: string; type: ProcedureType; getRawInput(): Promise<unknown> }

/** Who calls, when they may. What is refused is recorded. */
async function admit({ services, rate, authenticate }: Call, asked: Asked): Promise<Principal> {
	const { meta, path, type, getRawInput } = asked
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
	return principal
}

/** A failure as one of the closed codes; what is not ours is logged. */
function toRefusal({ services }: Call, path: string, cause: unknown): TRPCError {
	const error = asReprieveError(cause)
	if (httpStatus[error.code] >= 500) {
		const details = { err: error.cause ?? error, code: error.code, requestId: requestId(), path }
		services.log.error(details, error.message)
	}
	return asTrpcError(error)
}

/** Reads: audited only when a right is missing. One layer for all that is done about a call: each costs a copy of it. */
export const query = t.procedure.use(async ({ ctx, next, ...asked }) => {
	const call = callOf(ctx)
	const { services } = call
	try {
		const principal = await admit(call, asked)
		const result = await next({ ctx: { services, principal } })
		if (result.ok) return result
		const error = asReprieveError(result.error)
		if (error.code === 'FORBIDDEN' && asked.type !== 'mutation')
			await recordRefusal(services, principal, asked.path, error, await asked.getRawInput())
		throw error
	} catch (cause) {
		throw toRefusal(call, asked.path, cause)
	}
})

/**
 * Changes: audited before and after, and done once however often they are repeated under one idempotency key. What they make
 * gets the id `newId`.
 */
export const command = query.use(async ({ ctx, meta, path, getRawInput, next }) =>
	record({ ...ctx, path, input: await getRawInput(), secret: meta?.secret ?? false }, (newId) =>
		next({ ctx: { newId } }),
	),
)
