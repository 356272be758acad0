import { createServer, type IncomingMessage, type OutgoingHttpHeaders, request, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'

/** What a fault does to one request. */
export type Fault =
	/** The server never sees it; this is the answer. */
	| { kind: 'refuse'; status: number; code: string }
	/** The server never sees it, and no answer comes. */
	| { kind: 'cut' | 'stall' }
	/** The server did it, but its answer does not arrive, or another one does. */
	| { kind: 'cutAfter' | 'stallAfter' }
	| { kind: 'refuseAfter'; status: number; code: string }
	/** A byte changes on the way there or back. */
	| { kind: 'alterRequest' | 'alterAnswer' }
	/** The answer ends in the middle of its body, or comes a byte at a time. */
	| { kind: 'truncate' | 'trickle' }
	/** Everything goes right, later. */
	| { kind: 'delay'; ms: number }

export type Seen = { method: string; path: string; isRange: boolean }

export type FaultProxy = AsyncDisposable & {
	endpoint: string
	/** Every request so far, as `PUT /bucket/key`. */
	seen: string[]
	/** Asks, for each request from now on, which fault it meets. */
	meet(fault: (request: Seen) => Fault | undefined): void
}

/** A proxy before a real server that lets requests meet faults. */
export async function startProxy(target: string): Promise<FaultProxy> {
	let meet: (request: Seen) => Fault | undefined = () => undefined
	const seen: string[] = []
	const server = createServer((incoming, outgoing) => {
		const { method = '', url = '', headers } = incoming
		seen.push(`${method} ${url}`)
		const fault = meet({ method, path: url, isRange: headers.range !== undefined })
		void pass(incoming, outgoing, { target, fault }).catch(() => outgoing.destroy())
	})
	await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
	return {
		endpoint: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
		seen,
		meet: (fault) => {
			meet = fault
		},
		async [Symbol.asyncDispose]() {
			server.closeAllConnections()
			await new Promise((resolve) => server.close(resolve))
		},
	}
}

/** A fault that only the first `times` matching requests meet. */
export function firstOf(times: number, matches: (request: Seen) => boolean, fault: Fault) {
	let met = 0
	return (request: Seen): Fault | undefined => (matches(request) && met++ < times ? fault : undefined)
}

async function pass(
	incoming: IncomingMessage,
	outgoing: ServerResponse,
	{ target, fault }: { target: string; fault: Fault | undefined },
): Promise<void> {
	const body = Buffer.concat(await Array.fromAsync(incoming as AsyncIterable<Buffer>))
	if (fault?.kind === 'cut') return void incoming.socket.destroy()
	if (fault?.kind === 'stall') return
	if (fault?.kind === 'refuse') return refuse(outgoing, fault)
	if (fault?.kind === 'delay') await new Promise((resolve) => setTimeout(resolve, fault.ms))
	const answer = await forward(incoming, target, fault?.kind === 'alterRequest' ? altered(body) : body)
	if (fault?.kind === 'cutAfter') return void incoming.socket.destroy()
	if (fault?.kind === 'stallAfter') return
	if (fault?.kind === 'refuseAfter') return refuse(outgoing, fault)
	outgoing.writeHead(answer.status, answer.headers)
	if (fault?.kind === 'trickle') return trickle(outgoing, answer.body)
	if (fault?.kind === 'truncate') {
		outgoing.write(answer.body.subarray(0, answer.body.length >> 1), () => incoming.socket.destroy())
	} else outgoing.end(fault?.kind === 'alterAnswer' ? altered(answer.body) : answer.body)
}

function trickle(outgoing: ServerResponse, body: Buffer): void {
	let at = 0
	const timer = setInterval(() => outgoing.write(body.subarray(at, ++at)), 20)
	outgoing.once('close', () => clearInterval(timer))
}

function altered(body: Buffer): Buffer {
	const copy = Buffer.from(body)
	copy.writeUInt8((copy.readUInt8(copy.length >> 1) + 1) & 0xff, copy.length >> 1)
	return copy
}

function refuse(outgoing: ServerResponse, { status, code }: { status: number; code: string }): void {
	outgoing.writeHead(status, { 'content-type': 'application/xml' })
	outgoing.end(`<?xml version="1.0"?><Error><Code>${code}</Code><Message>${code} by the proxy</Message></Error>`)
}

/** The signature covers the host that the client named, so headers go on unchanged. */
async function forward({ method, url, headers }: IncomingMessage, target: string, body: Buffer) {
	const { hostname, port } = new URL(target)
	const { promise, resolve, reject } = Promise.withResolvers<IncomingMessage>()
	const { expect: _expect, ...plain } = headers
	const sending = request({ hostname, port, method, path: url, headers: plain, agent: false }, resolve)
	sending.on('error', reject)
	sending.end(body)
	const answer = await promise
	const found = Buffer.concat(await Array.fromAsync(answer as AsyncIterable<Buffer>))
	const { 'transfer-encoding': _chunked, ...kept } = answer.headers as OutgoingHttpHeaders
	return { status: answer.statusCode ?? 502, headers: kept, body: found }
}
