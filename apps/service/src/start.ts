import type { Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { serve } from '@hono/node-server'
import { bootstrapAdmin } from './access/bootstrap.ts'
import { createRateLimit } from './access/rate.ts'
import type { Config } from './config.ts'
import type { Services } from './context.ts'
import { forgetOldKeys } from './idempotency/settle.ts'
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
	const services = await openServices(config, dependencies)
	try {
		await bootstrapAdmin(services, config)
		const rate = createRateLimit(config.rateLimit, () => services.clock.now().getTime())
		const server = await listen(createServer(services, rate).fetch, config)
		const { port } = server.address() as AddressInfo
		const forgetting = setInterval(() => {
			forgetOldKeys(services).catch((err) => services.log.warn({ err }, 'old idempotency keys were not removed'))
		}, hourMs)
		forgetting.unref()
		return {
			url: `http://${config.host.includes(':') ? `[${config.host}]` : config.host}:${port}`,
			port,
			services,
			async stop() {
				clearInterval(forgetting)
				await close(server)
				await services.close()
			},
		}
	} catch (error) {
		await services.close()
		throw error
	}
}

function listen(fetch: (request: Request) => Response | Promise<Response>, config: Config): Promise<Server> {
	return new Promise((resolve, reject) => {
		const options = { requestTimeout: 30_000, headersTimeout: 10_000, keepAliveTimeout: 5_000 }
		const server = serve({ fetch, port: config.port, hostname: config.host, serverOptions: options }) as Server
		server.once('listening', () => resolve(server))
		server.once('error', reject)
	})
}

async function close(server: Server): Promise<void> {
	const closed = new Promise<void>((resolve) => server.close(() => resolve()))
	server.closeIdleConnections()
	const timer = setTimeout(() => server.closeAllConnections(), graceMs)
	await closed
	clearTimeout(timer)
}
