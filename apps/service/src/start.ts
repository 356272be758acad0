import type { AddressInfo } from 'node:net'
import { bootstrapAdmin } from './access/bootstrap.ts'
import { createRateLimit } from './access/rate.ts'
import type { Config } from './config.ts'
import type { Services } from './context.ts'
import { listen } from './listen.ts'
import { createServer } from './server.ts'
import { type Dependencies, openServices } from './services.ts'
import { startWork } from './work.ts'

export type Service = {
	url: string
	port: number
	services: Services
	/** Takes no more calls, lets those under way end (at most 10 s), and closes everything. */
	stop(): Promise<void>
}

/** Starts the service: control schema migrated, keys in place, HTTP served, workers running. */
export async function startService(config: Config, dependencies: Dependencies = {}): Promise<Service> {
	await using starting = new AsyncDisposableStack()
	const services = await openServices(config, dependencies)
	starting.defer(() => services.close())
	await bootstrapAdmin(services, config)
	const work = await startWork(services)
	starting.defer(() => work.stop())
	const rate = createRateLimit(config.rateLimit, () => services.clock.now().getTime())
	const { server, close } = await listen(createServer(services, rate), config)
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
