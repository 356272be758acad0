import { ReprieveError } from '@reprieve/contracts'
import type { Context, Hono } from 'hono'
import { router } from '../router.ts'
import { type Call, createCaller } from '../trpc.ts'
import { recordUnread } from '../unread.ts'
import { problemResponse } from './answer.ts'
import { acceptsIdempotencyKey, declared } from './procedure.ts'
import { readInput } from './read-input.ts'
import type { Route } from './route.ts'
import { routes } from './routes.ts'

const callerOf = createCaller(router)

/** Mounts every REST route; a known path with another method is answered 405. */
export function serveRest(app: Hono, callFor: (c: Context) => Call): void {
	for (const route of routes) {
		const accepts = acceptsIdempotencyKey(route)
		app.on(route.method, honoPath(route.path), (c) => answer(c, route, accepts, callFor(c)))
	}
	for (const path of new Set(routes.map((route) => route.path))) {
		app.all(honoPath(path), (c) => methodNotAllowed(c, path))
	}
}

async function answer(c: Context, route: Route, hasKey: boolean, call: Call): Promise<Response> {
	try {
		const principal = await call.authenticate()
		const input = await readInput(c, route, hasKey).catch(async (cause: unknown) => {
			const { procedure: path } = route
			if (declared(route).type === 'mutation') await recordUnread(call, principal, { path, cause })
			throw cause
		})
		const data = await invoke(route.procedure, input, call)
		const { status, location } = route.answer?.(data as never) ?? { status: route.statuses?.[0] ?? 200 }
		const headers = { 'content-type': 'application/json', ...(location ? { location } : {}) }
		return new Response(JSON.stringify(data), { status, headers })
	} catch (error) {
		return problemResponse(error)
	}
}

type Caller = Record<string, Record<string, (input: unknown) => Promise<unknown>>>

function invoke(procedure: string, input: unknown, call: Call): Promise<unknown> {
	const [noun = '', verb = ''] = procedure.split('.')
	// The caller's type is a tree of exact procedures; a route names one of them by text, and its schemas check the input.
	const caller = callerOf(call) as unknown as Caller
	const found = caller[noun]?.[verb]
	if (!found) throw new ReprieveError('INTERNAL', `no procedure ${procedure}`)
	return found(input)
}

function methodNotAllowed(c: Context, path: string): Response {
	const allow = routes.filter((route) => route.path === path).map((route) => route.method.toUpperCase())
	const error = new ReprieveError('INVALID', `${c.req.method} is not served here, ${allow.join(' and ')} is`)
	return problemResponse(error, { status: 405, headers: { allow: allow.join(', ') } })
}

function honoPath(path: string): string {
	return path.replaceAll(/\{(\w+)\}/g, ':$1')
}
