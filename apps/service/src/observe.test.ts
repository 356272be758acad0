import type { AddressInfo } from 'node:net'
import { pino } from 'pino'
import { expect, test } from 'vitest'
import { listen } from './listen.ts'
import { observed } from './observe.ts'

test('whatever is thrown is logged, counted and answered as a problem under the id of the request', async () => {
	const lines: { level: number; msg: string; requestId: string }[] = []
	const log = pino({ level: 'info' }, { write: (line) => void lines.push(JSON.parse(line)) })
	const counted: number[] = []
	const metrics = {
		answered: (_method: string, _path: string, status: number) => void counted.push(status),
		refused: (status: number) => void counted.push(status),
	}
	// No Error: a router hands that on.
	const served = observed(() => Promise.reject('broken'), log, metrics)
	const { server, close } = await listen(served, { host: '127.0.0.1', port: 0 })
	try {
		const answer = await fetch(`http://127.0.0.1:${(server.address() as AddressInfo).port}/`)
		const requestId = answer.headers.get('x-request-id')
		expect([answer.status, await answer.json()]).toEqual([
			500,
			expect.objectContaining({ code: 'INTERNAL', requestId }),
		])
		expect(counted).toEqual([500])
		expect(lines.map(({ level, msg, requestId }) => [level, msg, requestId])).toEqual([
			[50, 'request failed', requestId],
			[30, 'answered', requestId],
		])
	} finally {
		await close()
	}
})
