import { ReprieveError } from '@reprieve/contracts'
import type { Context, Handler, Hono } from 'hono'
import type { Call } from '../trpc.ts'
import { recordUnread } from '../unread.ts'
import { problemResponse } from './answer.ts'
import { type Ask, askTogether } from './ask.ts'
import { acceptsIdempotencyKey, callerOf, declared } from './procedure.ts'
import { inputReader } from './read-input.ts'
import type { Route } from './route.ts'
import { routes } from './routes.ts'

/** Mounts every REST route; a known path with another method is answered 405. */
export function serveRest(app: Hono, callFor: (c: Context) => Call): void {
	for (const route of routes) app.on(route.method, honoPath(route.path), answering(route, callFor))
	for (const path of new Set(routes.map((route) => route.path))) {
		app.all(honoPath(path), (c) => methodNotAllowed(c, path))
	}
}

/** What answers a route; what is the same for every request is made once. */
function answering(route: Route, callFor: (c: Context) => Call): Handler {
	const ask = route.method === 'get' ? askTogether(asking(route)) : asking(route)
	return async (c) => {
		const call = callFor(c)
		try {
			const { status, location, text } = await ask(c, call, await call.authenticate())
			const headers = { 'content-type': 'application/json', ...(location ? { location } : {}) }
			return new Response(text, { status, headers })
		} catch (error) {
			return problemResponse(error)
		}
	}
}

function asking(route: Route): Ask {
	const { procedure: path, statuses: [usual = 200] = [] } = route
	const readInput = inputReader(route, acceptsIdempotencyKey(route))
	const isChange = declared(route).type === 'mutation'
	const invoke = callerOf(route)
	return async (c, call, principal) => {
		const input = await readInput(c).catch(async (cause: unknown) => {
			if (isChange) await recordUnread(call, principal, { path, cause })
			throw cause
		})
		const data = await invoke(call, input)
		const { status, location } = route.answer?.(data as never) ?? { status: usual }
		return { status, location, text: JSON.stringify(data) }
	}
}

function methodNotAllowed(c: Context, path: string): Response {
	const allow = routes.filter((route) => route.path === path).map((route) => route.method.toUpperCase())
	const error = new ReprieveError('INVALID', `${c.req.method} is not served here, ${allow.join(' and ')} is`)
	return problemResponse(error, { status: 405, headers: { allow: allow.join(', ') } })
}

function honoPath(path: string): string {
	return path.replaceAll(/\{(\w+)\}/g, ':$1')
}
