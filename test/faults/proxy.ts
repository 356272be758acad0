import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'

/** Stands between a client and a server, and may fall silent. */
export type Proxy = AsyncDisposable & {
	/** The server's address through the proxy. */
	url: string
	/** Connections so far whose startup packet holds the text carry nothing any more, and stay open. Answers how many. */
	hang(startup?: string): number
	/** As {@link hang}, and every connection from now on is the same, until it is called off. */
	cut(): { heal(): void }
	/** Connections so far are closed, and every one from now on is reset at once, until it is called off. */
	refuse(): { refused(): number; heal(): void }
}

type Link = { client: Socket; server: Socket; startup: string }

/** Starts a proxy before the server at `url`. */
export async function startProxy(url: string): Promise<Proxy> {
	const { hostname, port } = new URL(url)
	const links = new Set<Link>()
	let isCut = false
	let refusing: { count: number } | undefined
	const listener = createServer((client) => {
		if (refusing) {
			refusing.count += 1
			client.on('error', () => {}).resetAndDestroy()
			return
		}
		const server = connect(Number(port), hostname)
		const link = { client, server, startup: '' }
		links.add(link)
		client.once('data', (bytes) => {
			link.startup = bytes.toString('latin1')
		})
		if (!isCut) client.pipe(server)
		if (!isCut) server.pipe(client)
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
	const destroyAll = () => {
		for (const { client, server } of links) for (const socket of [client, server]) socket.destroy()
	}
	const hang = (startup = '') => {
		const chosen = [...links].filter((link) => link.startup.includes(startup))
		for (const { client, server } of chosen) {
			for (const socket of [client, server]) socket.unpipe().pause()
		}
		return chosen.length
	}
	return {
		url: through.href,
		hang,
		cut() {
			hang()
			isCut = true
			return {
				heal() {
					isCut = false
				},
			}
		},
		refuse() {
			const refused = { count: 0 }
			refusing = refused
			destroyAll()
			return {
				refused: () => refused.count,
				heal() {
					refusing = undefined
				},
			}
		},
		async [Symbol.asyncDispose]() {
			destroyAll()
			listener.close()
			await once(listener, 'close')
		},
	}
}
