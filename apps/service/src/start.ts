import type { Server, ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { serve } from '@hono/node-server'
import { bootstrapAdmin } from './access/bootstrap.ts'
import { createRateLimit } from './access/rate.ts'
import type { Config } from './config.ts'
import type { Services } from './context.ts'
import { forgetOldKeys } from './idempotency/settle.ts'
import { startWorkers } from './runs/worker/loop.ts'
import { createServer } from './server.ts'
import { type Dependencies, openServices } from './services.ts'

export type Service = {
	url: string
	port: number
	services: Services
	/** Takes no more calls, lets those under way end (at most 10 s), and closes everything. */
	stop(): Promise<void>
}

const graceMs = 10_000
const hourMs = 3_600_000

/** Starts the service: control schema migrated, keys in place, HTTP served, workers running. */
export async function startService(config: Config, dependencies: Dependencies = {}): Promise<Service> {
	await using starting = new AsyncDisposableStack()
	const services = await openServices(config, dependencies)
	starting.defer(() => services.close())
	await bootstrapAdmin(services, config)
	const work = await startWork(services)
	starting.defer(() => work.stop())
	const rate = createRateLimit(config.rateLimit, () => services.clock.now().getTime())
	const { server, close } = await listen(createServer(services, rate).fetch, config)
	starting.defer(close)
	const { port } = server.address() as AddressInfo
	const started = starting.move()
	return {
		url: `http://${config.host.includes(':') ? `[${config.host}]` : config.host}:${port}`,
		port,
		services,
		stop: () => started.disposeAsync(),
	}
}

async function startWork(services: Services): Promise<{ stop(): Promise<void> }> {
	const runs = await startWorkers(services)
	const forgetting = setInterval(() => {
		forgetOldKeys(services).catch((err) => services.log.warn({ err }, 'old idempotency keys were not removed'))
	}, hourMs)
	return {
		async stop() {
			clearInterval(forgetting)
			await runs.stop()
		},
	}
}

type Fetch = (request: Request) => Response | Promise<Response>

function listen(fetch: Fetch, config: Config): Promise<{ server: Server; close(): Promise<void> }> {
	return new Promise((resolve, reject) => {
		const serverOptions = { requestTimeout: 30_000, headersTimeout: 10_000, keepAliveTimeout: 5_000 }
		const server = serve({ fetch, port: config.port, hostname: config.host, serverOptions }) as Server
		const answers = new Set<ServerResponse>()
		server.on('request', (_, answer) => {
			answers.add(answer)
			answer.once('close', () => answers.delete(answer))
		})
		server.once('listening', () => resolve({ server, close: () => closeServer(server, answers) }))
		server.once('error', reject)
	})
}

/** Event streams are cut at once, so that their clients reconnect elsewhere; other calls may end. */
async function closeServer(server: Server, answers: Set<ServerResponse>): Promise<void> {
	const closed = new Promise<void>((resolve) => server.close(() => resolve()))
	for (const answer of answers) {
		if (String(answer.getHeader('content-type')).startsWith('text/event-stream')) answer.destroy()
	}
	const timer = setTimeout(() => server.closeAllConnections(), graceMs)
	await closed
	clearTimeout(timer)
}
