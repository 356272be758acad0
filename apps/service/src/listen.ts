import type { Server, ServerResponse } from 'node:http'
import { serve } from '@hono/node-server'
import type { Config } from './config.ts'

const graceMs = 10_000
/** Every subscription is called `watch`. */
const isWatch = /^\/trpc\/v1\/\w+\.watch\b/

type Fetch = (request: Request) => Response | Promise<Response>

/** Serves HTTP at the configured address; `close` takes no more calls and lets those under way end (at most 10 s). */
export function listen(fetch: Fetch, config: Config): Promise<{ server: Server; close(): Promise<void> }> {
	return new Promise((resolve, reject) => {
		const serverOptions = { requestTimeout: 30_000, headersTimeout: 10_000, keepAliveTimeout: 5_000 }
		const server = serve({ fetch, port: config.port, hostname: config.host, serverOptions }) as Server
		const answers = new Map<ServerResponse, boolean>()
		server.on('request', (request, answer) => {
			answers.set(answer, isWatch.test(request.url ?? ''))
			answer.once('close', () => answers.delete(answer))
		})
		server.once('listening', () => resolve({ server, close: () => closeServer(server, answers) }))
		server.once('error', reject)
	})
}

/** Event streams are cut at once, so that their clients reconnect elsewhere; other calls may end. */
async function closeServer(server: Server, answers: Map<ServerResponse, boolean>): Promise<void> {
	const closed = new Promise<void>((resolve) => server.close(() => resolve()))
	for (const [answer, isStream] of answers) if (isStream) answer.destroy()
	const timer = setTimeout(() => server.closeAllConnections(), graceMs)
	await closed
	clearTimeout(timer)
}
