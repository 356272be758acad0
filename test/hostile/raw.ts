import { once } from 'node:events'
import { connect, type Socket } from 'node:net'

/** A connection that is written to by hand: what no well-behaved client sends. */
export type Raw = Disposable & {
	socket: Socket
	/** Everything that came back so far. */
	text(): string
	/** Resolves with everything that came back when the server has hung up. */
	ended: Promise<string>
}

export async function openRaw(url: string): Promise<Raw> {
	const { hostname, port } = new URL(url)
	const socket = connect(Number(port), hostname)
	const chunks: Buffer[] = []
	socket.on('data', (chunk) => chunks.push(chunk))
	socket.on('error', () => {})
	const text = () => Buffer.concat(chunks).toString()
	const ended = new Promise<string>((resolve) => socket.once('close', () => resolve(text())))
	await once(socket, 'connect')
	return { socket, text, ended, [Symbol.dispose]: () => socket.destroy() }
}

/** Sends bytes and answers what comes back until the server hangs up. */
export async function exchange(url: string, bytes: string | Buffer): Promise<{ status: number; text: string }> {
	using raw = await openRaw(url)
	raw.socket.write(bytes)
	const text = await raw.ended
	return { status: Number(/^HTTP\/1\.[01] (\d{3})/.exec(text)?.[1] ?? 0), text }
}
