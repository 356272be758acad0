import { pino } from 'pino'
import { expect, test } from 'vitest'
import { freshDatabase } from '../support/postgres.ts'
import { until } from '../support/wait.ts'
import { adminKey, startTestService } from '../surfaces/support.ts'
import { exchange, openRaw } from './raw.ts'

type Line = { level: number; msg: string; path?: string; status?: number; requestId?: string }

/** A log that keeps its lines. */
function openLog() {
	const lines: Line[] = []
	const log = pino({ level: 'info' }, { write: (line) => void lines.push(JSON.parse(line)) })
	return { log, lines }
}

function idOf(answer: string): string | undefined {
	return /^x-request-id: (.*)\r$/im.exec(answer)?.[1]
}

const byLength = ['Content-Length: 28', '{"nam'] as const
const inChunks = ['Transfer-Encoding: chunked', '5\r\n{"nam\r\n'] as const
const paths = ['/api/v1/tokens', '/trpc/v1/tokens.create', '/api/nothing']

test('a body that breaks off or has a bad chunk counts as a bad call, not as a failure inside', async () => {
	const { log, lines } = openLog()
	await using database = await freshDatabase()
	await using service = await startTestService(database, { log })
	const answered = () => lines.filter(({ msg }) => msg === 'answered').map(({ path, status }) => `${path} ${status}`)
	const expected: string[] = []
	for (const path of paths) {
		for (const [framing, rest] of [
			[byLength, undefined],
			[inChunks, undefined],
			[inChunks, 'zz\r\n'],
		] as const) {
			using raw = await openRaw(service.url)
			const key = `Authorization: Bearer ${adminKey}`
			const head = [`POST ${path} HTTP/1.1`, 'Host: x', key, 'Content-Type: application/json', 'Expect: 100-continue']
			raw.socket.write(`${[...head, framing[0]].join('\r\n')}\r\n\r\n${framing[1]}`)
			await until(async () => raw.text().includes('100 Continue'), 'the body to be asked for')
			if (rest) raw.socket.write(rest)
			else raw.socket.destroy()
			// What comes by length is not read where nothing is served.
			expected.push(`${path} ${path === '/api/nothing' && framing === byLength ? 404 : 400}`)
			await until(async () => answered().length === expected.length, `${path}, ${framing[0]}, ${rest}`)
			if (rest) expect(idOf(await raw.ended)).toBe(lines.at(-1)?.requestId)
		}
	}
	expect(answered()).toEqual(expected)
	expect(lines.filter(({ level }) => level >= 50)).toEqual([])
	const { body } = await service.call('GET', '/metrics')
	expect(body).toMatch(/reprieve_requests_total\{surface="api\/v1",method="POST",status="400"\} 3/)
	expect(body).not.toMatch(/status="5|method="none"/)
})

test('what is refused before anybody knows what it asks is counted and logged under its id', async () => {
	const { log, lines } = openLog()
	await using database = await freshDatabase()
	await using service = await startTestService(database, { log })
	const heads = [
		['GET ftp://x/y HTTP/1.1', 'Host: x'],
		['GET * HTTP/1.1', 'Host: x'],
		['GET /healthz HTTP/1.1', 'Host: a/b'],
		['hello'],
		['GET /healthz HTTP/1.1', 'Host: x', `X-A: ${'a'.repeat(20_000)}`],
	]
	const expected: unknown[] = []
	for (const head of heads) {
		const { status, text } = await exchange(service.url, `${[...head, 'Connection: close'].join('\r\n')}\r\n\r\n`)
		expected.push({ status, requestId: idOf(text) })
	}
	const refused = lines.filter(({ msg }) => msg === 'refused')
	expect(refused.map(({ status, requestId }) => ({ status, requestId }))).toEqual(expected)
	const { body } = await service.call('GET', '/metrics')
	expect(body).toContain('reprieve_requests_total{surface="other",method="none",status="400"} 4\n')
	expect(body).toContain('reprieve_requests_total{surface="other",method="none",status="431"} 1\n')
})
