import type { ErrorCode } from '@reprieve/contracts'

/** How a query parameter is read: never by guessing, and never in a body. */
export type QueryType = 'text' | 'integer' | 'seconds' | 'boolean' | 'json'

/** One REST call: a projection of one procedure. */
export type Route = {
	/** Path in the router, for example `plans.create`. */
	procedure: string
	method: 'get' | 'post' | 'put'
	/** OpenAPI spelling: `/api/v1/plans/{id}`; each parameter is a field of the procedure's input. */
	path: string
	summary: string
	tag: string
	/** Input fields that come from the query string, which names no others. The rest of the input is the body, where there is one. */
	query?: Record<string, QueryType>
	/** Success statuses, the usual one first. Default 200. */
	statuses?: number[]
	/** Status and Location of an answer where they are not simply the first of `statuses`. */
	answer?: (data: never) => { status: number; location?: string }
	/** Codes that this call may answer besides those of every call. */
	errors: ErrorCode[]
	/** Example of a body. */
	example?: Record<string, unknown>
}
