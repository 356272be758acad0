import { ReprieveError } from '@reprieve/contracts'
import type { Context, Hono } from 'hono'
import type { Call } from '../trpc.ts'
import { recordUnread } from '../unread.ts'
import { problemResponse } from './answer.ts'
import { type Ask, askTogether } from './ask.ts'
import { finderOf } from './find.ts'
import { acceptsIdempotencyKey, callerOf, declared } from './procedure.ts'
import { inputReader } from './read-input.ts'
import type { Route } from './route.ts'
import { routes } from './routes.ts'

type Answer = (c: Context, given: Record<string, string>) => Promise<Response>

/** Mounts every REST route; a known path with another method is answered 405. */
export function serveRest(app: Hono, callFor: (c: Context) => Call): void {
	const { find, methodsOf } = finderOf(routes.map((route) => ({ ...route, answer: answering(route, callFor) })))
	app.all('/api/*', (c, next) => {
		const { method, path } = c.req
		const found = find(method === 'HEAD' ? 'GET' : method, path)
		if (found) return found.route.answer(c, found.given)
		const allowed = methodsOf(path)
		return allowed.length > 0 ? methodNotAllowed(c, allowed) : next()
	})
}

/** What answers a route; what is the same for every request is made once. */
function answering(route: Route, callFor: (c: Context) => Call): Answer {
	const ask = route.method === 'get' ? askTogether(asking(route)) : asking(route)
	return async (c, given) => {
		const call = callFor(c)
		try {
			const { status, location, text } = await ask({ c, given }, call, await call.authenticate())
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
	return async (asked, call, principal) => {
		const input = await readInput(asked).catch(async (cause: unknown) => {
			if (isChange) await recordUnread(call, principal, { path, cause })
			throw cause
		})
		const data = await invoke(call, input)
		const { status, location } = route.answer?.(data as never) ?? { status: usual }
		return { status, location, text: JSON.stringify(data) }
	}
}

function methodNotAllowed(c: Context, allowed: string[]): Response {
	const error = new ReprieveError('INVALID', `${c.req.method} is not served here, ${allowed.join(' and ')} is`)
	return problemResponse(error, { status: 405, headers: { allow: allowed.join(', ') } })
}
