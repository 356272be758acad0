import { once } from 'node:events'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { connect, createServer, type Server, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setImmediate as turn } from 'node:timers/promises'
import { createServer as createTlsServer, connect as tlsConnect } from 'node:tls'
import { expect, test } from 'vitest'
import { restBetweenReads } from '../../packages/postgres/src/stream/rest.ts'
import { makeCertificate } from '../support/certificate.ts'

const piece = 4_000
const pieces = 4_000

test.each(['plain', 'encrypted'])('a busy %s socket is read seldom, and all of it arrives', async (how) => {
	await using line = await openLine(how)
	const { from, to } = line
	restBetweenReads(to)
	const read = countTurns(to)
	for (let sent = 0; sent < pieces; sent++) {
		from.write(Buffer.alloc(piece, sent % 251))
		await turn()
	}
	from.end()
	await once(to, 'end')
	expect(read.bytes).toBe(piece * pieces)
	expect(read.wrong).toBe(0)
	// A reader that is always there reads in each turn in which something is sent.
	expect(read.turns).toBeLessThan(pieces / 2)
})

test.each(['plain', 'encrypted'])('what comes now and then over a %s socket is read at once', async (how) => {
	await using line = await openLine(how)
	const { from, to } = line
	restBetweenReads(to)
	let came = 0
	to.on('data', () => {
		came++
	})
	const waits: number[] = []
	for (let sent = 1; sent <= 50; sent++) {
		from.write(Buffer.alloc(100))
		let turns = 0
		for (; came < sent; turns++) await turn()
		waits.push(turns)
	}
	// A rest would last for hundreds of turns that have nothing else to do.
	expect(waits.toSorted((one, other) => one - other)[25]).toBeLessThan(20)
})

test('a socket that nobody wants to read rests until it is wanted', async () => {
	await using line = await openLine('plain')
	const { from, to } = line
	restBetweenReads(to)
	let bytes = 0
	to.on('data', (chunk: Buffer) => {
		bytes += chunk.length
	})
	to.pause()
	for (let sent = 0; sent < pieces; sent++) {
		from.write(Buffer.alloc(piece))
		await turn()
	}
	expect(bytes).toBe(0)
	expect(to.readableLength).toBeLessThan(1_000_000)
	to.resume()
	from.end()
	await once(to, 'end')
	expect(bytes).toBe(piece * pieces)
})

/** Counts what a socket brings, bytes that are not what was sent, and the turns of the event loop in which some came. */
function countTurns(socket: Socket): { turns: number; bytes: number; wrong: number } {
	const counted = { turns: 0, bytes: 0, wrong: 0 }
	let isTurnOpen = false
	const endTurn = () => {
		isTurnOpen = false
		counted.turns++
	}
	socket.on('data', (chunk: Buffer) => {
		if (!isTurnOpen) setImmediate(endTurn)
		isTurnOpen = true
		for (const byte of chunk) if (byte !== Math.floor(counted.bytes++ / piece) % 251) counted.wrong++
	})
	return counted
}

/** Both ends of a connection within this process. */
async function openLine(how: string): Promise<{ from: Socket; to: Socket } & AsyncDisposable> {
	const folder = await mkdtemp(join(tmpdir(), 'reprieve-line-'))
	const { key, certificate } = makeCertificate(folder)
	const isPlain = how === 'plain'
	const secrets = { key: await readFile(key), cert: await readFile(certificate) }
	await rm(folder, { recursive: true })
	const server: Server = isPlain ? createServer() : createTlsServer(secrets)
	server.listen(0, '127.0.0.1')
	await once(server, 'listening')
	const { port } = server.address() as { port: number }
	const arrived = once(server, isPlain ? 'connection' : 'secureConnection')
	const to = isPlain ? connect(port, '127.0.0.1') : tlsConnect({ port, host: '127.0.0.1', ca: secrets.cert })
	const [from] = (await arrived) as [Socket]
	from.setNoDelay(true)
	return {
		from,
		to,
		async [Symbol.asyncDispose]() {
			to.destroy()
			from.destroy()
			server.close()
		},
	}
}
