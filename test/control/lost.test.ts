import { once } from 'node:events'
import { type AddressInfo, connect, createServer } from 'node:net'
import { openControl } from '@reprieve/control'
import { expect, inject, test } from 'vitest'

const watch = () => {}

test('a server that goes away while a connection opens fails the query that waits, and nothing besides', async () => {
	const control = await dyingAt('typarray')
	const { sql, close } = openControl(control.url, { watch, max: 1 })
	expect(await failures(async () => await sql`select 1`)).toEqual({ caught: ['ECONNREFUSED'], unhandled: [] })
	await close()
})

/** Codes of what the work threw, and of what nobody caught. */
async function failures(work: () => Promise<unknown>): Promise<{ caught: unknown[]; unhandled: unknown[] }> {
	const unhandled: unknown[] = []
	const note = (error: { code?: string }) => unhandled.push(error.code)
	process.on('unhandledRejection', note)
	try {
		const caught = await work().then(
			() => [],
			(error) => [error.code],
		)
		await new Promise(setImmediate)
		return { caught, unhandled }
	} finally {
		process.off('unhandledRejection', note)
	}
}

/** The server's address as it looks where the server dies when it reads the text: it hangs up and listens no more. */
async function dyingAt(text: string): Promise<{ url: string }> {
	const url = new URL(inject('postgresUrl'))
	const { port, hostname } = url
	const listener = createServer((client) => {
		const server = connect(Number(port), hostname)
		server.on('error', () => {}).pipe(client)
		client
			.on('error', () => {})
			.on('data', (bytes) => {
				if (!bytes.includes(text)) return void server.write(bytes)
				listener.close()
				server.destroy()
				client.end()
			})
	}).listen(0, '127.0.0.1')
	await once(listener, 'listening')
	url.hostname = '127.0.0.1'
	url.port = String((listener.address() as AddressInfo).port)
	return { url: url.href }
}
