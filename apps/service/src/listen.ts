import { randomUUID } from 'node:crypto'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { Duplex } from 'node:stream'
import { getRequestListener } from '@hono/node-server'
import { Answer } from './answer.ts'
import type { Config } from './config.ts'
import { refuseAddress, refuseBytes } from './unreadable.ts'

const graceMs = 10_000

/** Who sends slowly is cut off; without the last one Node would look every 30 s only. */
const patience = {
	headersTimeout: 10_000,
	requestTimeout: 30_000,
	keepAliveTimeout: 5_000,
	connectionsCheckingInterval: 1_000,
	// A missing Host is refused with the others that name no address.
	requireHostHeader: false,
}

/** Every subscription is called `watch`. */
const isWatch = /^\/trpc\/v1\/\w+\.watch\b/

/** A request as Node has it, and what will answer it. */
export type Bindings = { incoming: IncomingMessage; outgoing: Answer }
export type Fetch = (request: Request, env: Bindings) => Response | Promise<Response>
/** What answers requests, and hears of what was refused unread: the id and the status of that answer. */
export type Served = { fetch: Fetch; refused(id: string, status: number): void }
type Listening = Server<typeof IncomingMessage, typeof Answer>

/** Serves HTTP at the configured address; `close` takes no more calls and lets those under way end (at most 10 s). */
export function listen(
	{ fetch, refused }: Served,
	config: Pick<Config, 'host' | 'port'>,
): Promise<{ server: Listening; close(): Promise<void> }> {
	return new Promise((resolve, reject) => {
		const answer = getRequestListener((request, env) => fetch(request, env as Bindings), {
			hostname: config.host,
			errorHandler(error) {
				const id = randomUUID()
				const response = refuseAddress(error, id)
				refused(id, response.status)
				return response
			},
		})
		const server = createServer({ ...patience, ServerResponse: Answer }, answer)
		const streams = new Set<ServerResponse>()
		const answers = new WeakMap<Duplex, Answer[]>()
		server.on('request', (request, answer) => {
			const { socket } = request
			answers.set(socket, [...underWay(answers.get(socket)), answer])
			if (!isWatch.test(request.url ?? '')) return
			streams.add(answer)
			answer.once('close', () => streams.delete(answer))
		})
		server.on('checkExpectation', (request, answer) => server.emit('request', request, answer))
		server.on('clientError', (error, socket) => {
			const known = answers.get(socket) ?? []
			const isAnswering = underWay(known).some((answer) => answer.socket === socket && answer.headersSent)
			// Whose body breaks off is counted as the request that it is.
			const broken = known.find(({ req }) => !req.complete)
			const id = broken?.id ?? randomUUID()
			const status = refuseBytes(error, socket, { id, isAnswering })
			if (status && !broken) refused(id, status)
		})
		server.once('listening', () => resolve({ server, close: () => closeServer(server, streams) }))
		server.once('error', reject)
		server.listen(config.port, config.host)
	})
}

function underWay(answers: readonly Answer[] = []): readonly Answer[] {
	return answers.filter((answer) => !answer.closed)
}

/** Event streams are cut at once, so that their clients reconnect elsewhere; other calls may end. */
async function closeServer(server: Listening, streams: ReadonlySet<ServerResponse>): Promise<void> {
	const closed = new Promise<void>((resolve) => server.close(() => resolve()))
	for (const answer of streams) answer.destroy()
	const timer = setTimeout(() => server.closeAllConnections(), graceMs)
	await closed
	clearTimeout(timer)
}
