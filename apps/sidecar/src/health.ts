import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { ReprieveError } from '@reprieve/contracts'
import type { SidecarParts } from './start.ts'

export type Health = {
	/** To be told every state of the sidecar. */
	onState: NonNullable<SidecarParts['onState']>
	/** Where it answers. */
	port: number
	close(): Promise<void>
}

/**
 * Answers on 127.0.0.1 with the state of the sidecar: 200 while it streams, 503 before, between and after. A process that
 * hangs answers nothing. 0 takes any free port. Throws INVALID for a port that is taken.
 */
export async function serveHealth(port: number): Promise<Health> {
	let state = 'starting'
	const server = createServer((_request, response) => {
		response.writeHead(state === 'streaming' ? 200 : 503, { 'content-type': 'application/json' })
		response.end(JSON.stringify({ state }))
	})
	await new Promise<void>((resolve, reject) => {
		server.once('error', (cause) => reject(taken(port, cause)))
		server.listen(port, '127.0.0.1', resolve)
	})
	return {
		onState(next) {
			state = next
		},
		port: (server.address() as AddressInfo).port,
		async close() {
			server.closeAllConnections()
			await new Promise((resolve) => server.close(resolve))
		},
	}
}

function taken(port: number, cause: Error): ReprieveError {
	return new ReprieveError('INVALID', `REPRIEVE_HEALTH_PORT is ${port}: ${cause.message}`, { cause })
}
