import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'

/** Faults that a process asks for, and waits for, when it comes to a place in its sources. */
export type Strikes = AsyncDisposable & {
	/** The statement that asks for a fault, for a place's `first`. */
	at(name: string): string
	/** Names of the faults that happened, in order. */
	struck(): string[]
}

/** Opens named faults to processes of this machine; they happen one after the other. */
export async function openStrikes(faults: Record<string, () => Promise<unknown>>): Promise<Strikes> {
	const struck: string[] = []
	let turn: Promise<unknown> = Promise.resolve()
	const server = createServer((request, response) => {
		const name = decodeURIComponent(request.url?.slice(1) ?? '')
		const fault = faults[name] ?? (() => Promise.reject(new Error(`no fault ${name}`)))
		const done = turn.then(fault)
		turn = done.catch(() => {})
		done.then(
			() => {
				struck.push(name)
				response.end()
			},
			(error: Error) => response.writeHead(500).end(error.stack),
		)
	})
	server.listen(0, '127.0.0.1')
	await once(server, 'listening')
	const { port } = server.address() as AddressInfo
	return {
		at: (name) => `await fetch('http://127.0.0.1:${port}/${encodeURIComponent(name)}').then(async (answer) => {
			if (!answer.ok) process.stderr.write(await answer.text())
		})`,
		struck: () => struck,
		async [Symbol.asyncDispose]() {
			server.closeAllConnections()
			server.close()
			await once(server, 'close')
		},
	}
}
