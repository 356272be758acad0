import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'

/** Stands between a client and a server, and may fall silent. */
export type Proxy = AsyncDisposable & {
	/** The server's address through the proxy. */
	url: string
	/** Connections so far whose startup packet holds the text carry nothing any more, and stay open. Answers how many. */
	hang(startup?: string): number
}

type Link = { client: Socket; server: Socket; startup: string }

/** Starts a proxy before the server at `url`. */
export async function startProxy(url: string): Promise<Proxy> {
	const { hostname, port } = new URL(url)
	const links = new Set<Link>()
	const listener = createServer((client) => {
		const server = connect(Number(port), hostname)
		const link = { client, server, startup: '' }
		links.add(link)
		client.once('data', (bytes) => {
			link.startup = bytes.toString('latin1')
		})
		client.pipe(server)
		server.pipe(client)
		const end = () => {
			links.delete(link)
			client.destroy()
			server.destroy()
		}
		for (const socket of [client, server]) socket.on('error', end).on('close', end)
	})
	listener.listen(0, '127.0.0.1')
	await once(listener, 'listening')
	const through = new URL(url)
	through.port = String((listener.address() as AddressInfo).port)
	return {
		url: through.href,
		hang(startup = '') {
			const chosen = [...links].filter((link) => link.startup.includes(startup))
			for (const { client, server } of chosen) {
				for (const socket of [client, server]) socket.unpipe().pause()
			}
			return chosen.length
		},
		async [Symbol.asyncDispose]() {
			for (const { client, server } of links) for (const socket of [client, server]) socket.destroy()
			listener.close()
			await once(listener, 'close')
		},
	}
}
