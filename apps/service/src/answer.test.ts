import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { expect, test } from 'vitest'
import { Answer } from './answer.ts'

const ways: Record<string, (answer: Answer) => unknown> = {
	'as a record': (answer) => answer.writeHead(203, { 'x-own': 'a', 'cache-control': 'max-age=1' }),
	'behind a reason': (answer) => answer.writeHead(203, 'Fine', { 'x-own': 'a', 'cache-control': 'max-age=1' }),
	'in turn': (answer) => answer.writeHead(203, ['x-own', 'a', 'cache-control', 'max-age=1']),
	'in pairs': (answer) =>
		answer.writeHead(203, [
			['x-own', 'a'],
			['cache-control', 'max-age=1'],
		]),
}

test.each(Object.entries(ways))(
	'an answer whose headers come %s has them and those of all answers',
	async (_, write) => {
		const server = createServer({ ServerResponse: Answer }, (_request, answer) => {
			write(answer)
			answer.end('body')
		})
		server.listen(0, '127.0.0.1')
		await once(server, 'listening')
		try {
			const answered = await fetch(`http://127.0.0.1:${(server.address() as AddressInfo).port}/`)
			expect([answered.status, await answered.text()]).toEqual([203, 'body'])
			const own = ['x-own', 'cache-control', 'x-content-type-options'].map((name) => answered.headers.get(name))
			expect(own).toEqual(['a', 'max-age=1', 'nosniff'])
			expect(answered.headers.get('x-request-id')).toMatch(/^[0-9a-f-]{36}$/)
		} finally {
			server.close()
		}
	},
)
