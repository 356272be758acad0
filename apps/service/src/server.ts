import { getConnInfo } from '@hono/node-server/conninfo'
import { trpcServer } from '@hono/trpc-server'
import { ReprieveError } from '@reprieve/contracts'
import type { AnyProcedure } from '@trpc/server'
import { type Context, Hono, type MiddlewareHandler } from 'hono'
import { bodyLimit } from 'hono/body-limit'
import { authenticate } from './access/authenticate.ts'
import type { RateLimit } from './access/rate.ts'
import { readText, refuseBroken } from './body.ts'
import type { Principal, Services } from './context.ts'
import { asReprieveError, asTrpcError } from './errors.ts'
import { serveHome } from './home/serve.ts'
import type { Served } from './listen.ts'
import { createMetrics, type Metrics } from './metrics.ts'
import { failed, observed } from './observe.ts'
import { notFound, problemResponse } from './rest/answer.ts'
import { openApiDocument } from './rest/openapi.ts'
import { serveRest } from './rest/serve.ts'
import { router } from './router.ts'
import { systemStatus } from './system/status.ts'
import type { Call } from './trpc.ts'
import { recordUnread } from './unread.ts'

/** Largest body: the longest lists that the contract allows fit. */
const maxBodyBytes = 1024 * 1024
const maxDrainedBytes = 16 * maxBodyBytes
const maxBatchCalls = 20

/** What comes with a body. Of all else none is read: asking for it would make a whole Request of each. */
const bodied = ['POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS']

/** Everything that the service answers over HTTP. */
export function createServer(services: Services, rate: RateLimit): Served {
	const app = new Hono()
	const metrics = createMetrics(services)
	const callFor = (c: Context) => createCall(c, services, rate, metrics)
	app.on(bodied, '*', limitBody)
	serveProbes(app, services, metrics, callFor)
	serveTrpc(app, callFor)
	serveDocument(app)
	serveRest(app, callFor)
	serveHome(app)
	app.notFound((c) => problemResponse(notFound(c.req.path)))
	app.onError((error) => failed(error, services.log))
	return observed(app.fetch, services.log, metrics)
}

function createCall(c: Context, services: Services, rate: RateLimit, metrics: Metrics): Call {
	let principal: Promise<Principal> | undefined
	return {
		services,
		rate,
		authenticate() {
			principal ??= authenticate(services, c.req.header('authorization')).catch((error) => {
				if (asReprieveError(error).code === 'UNAUTHENTICATED') {
					metrics.unauthenticated()
					rate.take(`address ${getConnInfo(c).remote.address}`)
				}
				throw error
			})
			return principal
		},
	}
}

function serveProbes(app: Hono, services: Services, metrics: Metrics, callFor: (c: Context) => Call): void {
	app.get('/healthz', (c) => c.json({ status: 'ok' }))
	app.get('/readyz', async (c) => {
		const { capture } = await systemStatus(services)
		return c.json({ capture: capture.state }, capture.state === 'streaming' ? 200 : 503)
	})
	app.get('/metrics', async (c) => {
		await callFor(c).authenticate()
		return c.body(await metrics.expose(), 200, { 'content-type': metrics.contentType })
	})
}

function serveTrpc(app: Hono, callFor: (c: Context) => Call): void {
	const handler = trpcServer({
		endpoint: '/trpc/v1',
		router,
		allowMethodOverride: true,
		maxBatchSize: maxBatchCalls,
		async createContext({ info }, c) {
			const call = callFor(c)
			await refuseUnread(c, call, info.calls).catch((error: unknown) => {
				throw asTrpcError(asReprieveError(error))
			})
			return call
		},
	})
	app.all('/trpc/v1/*', (c) => handler(c, async () => {}))
}

/** What is refused before any procedure is asked. A stranger's body is not looked at. */
async function refuseUnread(
	c: Context,
	call: Call,
	calls: readonly { path: string; procedure: AnyProcedure | null }[],
): Promise<void> {
	const changes = calls.filter(({ procedure }) => procedure?._def.type === 'mutation')
	const principal = await call.authenticate().catch(() => undefined)
	try {
		if (calls.length > 1 && changes.length > 0)
			throw new ReprieveError('INVALID', 'a mutation came in a batch', { hint: 'Send each mutation alone.' })
		if (principal && bodied.includes(c.req.method)) await readText(c)
	} catch (cause) {
		if (principal) for (const { path } of changes) await recordUnread(call, principal, { path, cause })
		throw cause
	}
}

function serveDocument(app: Hono): void {
	const text = JSON.stringify(openApiDocument())
	app.get('/api/v1/openapi.json', (c) => c.body(text, 200, { 'content-type': 'application/json' }))
}

const limit = bodyLimit({ maxSize: maxBodyBytes, onError: tooLarge })

/** Refuses a body that is too large; one in chunks is read for that, and may not come whole. */
const limitBody: MiddlewareHandler = async (c, next) => {
	const refused = await limit(c, async () => {}).catch(refuseBroken)
	return refused ?? (await next())
}

/** Reads on for a while before it answers: a connection closed on unread bytes would take the answer with it. */
async function tooLarge(c: Context): Promise<Response> {
	let drained = 0
	const body = c.req.raw.bodyUsed ? [] : (c.req.raw.body ?? [])
	for await (const chunk of body) {
		drained += chunk.byteLength
		if (drained > maxDrainedBytes) break
	}
	return problemResponse(new ReprieveError('TOO_LARGE', `the body is larger than ${maxBodyBytes} bytes`))
}
