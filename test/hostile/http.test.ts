import { gzipSync } from 'node:zlib'
import type { ErrorCode, Problem } from '@reprieve/contracts'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { freshDatabase, type TestDatabase } from '../support/postgres.ts'
import { until } from '../support/wait.ts'
import { adminKey, startTestService, type TestService } from '../surfaces/support.ts'
import { contentsOf } from './contents.ts'
import { exchange, openRaw } from './raw.ts'

let database: TestDatabase
let service: TestService
beforeAll(async () => {
	database = await freshDatabase()
	await database.sql`create table public.t (id int primary key)`
	service = await startTestService(database)
})
afterAll(async () => {
	await service?.[Symbol.asyncDispose]()
	await database?.[Symbol.asyncDispose]()
})

const key = `Authorization: Bearer ${adminKey}`
const token = '{"name":"a","role":"viewer"}'

type Parts = { line?: string; host?: string; headers?: string[]; body?: string | Buffer; length?: number }

/** A request as bytes; it makes a token unless it says otherwise. */
function bytesOf({ line, host = 'Host: x', headers = [], body = token, length }: Parts): Buffer {
	const head = [line ?? 'POST /api/v1/tokens HTTP/1.1', host, 'Connection: close', 'Content-Type: application/json']
	const size = `Content-Length: ${length ?? Buffer.byteLength(body)}`
	return Buffer.concat([
		Buffer.from(`${[...head, size, key, ...headers].join('\r\n')}\r\n\r\n`, 'latin1'),
		Buffer.from(body),
	])
}

const noBody = { body: '', headers: [] }
const get = (path: string, headers: string[] = []): Parts => ({ ...noBody, line: `GET ${path} HTTP/1.1`, headers })
const raw = (...lines: string[]): string => `${lines.join('\r\n')}\r\n\r\n`

/** Bytes that are refused, with the status and the code of the problem that comes back. */
const refused: [what: string, bytes: Parts | string, status: number, code: ErrorCode][] = [
	['no request at all', 'hello\r\n\r\n', 400, 'INVALID'],
	['a method in small letters', raw('get /healthz HTTP/1.1', 'Host: x'), 400, 'INVALID'],
	['an unknown method', raw('FOO /healthz HTTP/1.1', 'Host: x'), 400, 'INVALID'],
	['lines that end in LF alone', 'GET /healthz HTTP/1.1\nHost: x\n\n', 400, 'INVALID'],
	['no host', raw('GET /healthz HTTP/1.1', 'Connection: close'), 400, 'INVALID'],
	['two hosts', raw('GET /healthz HTTP/1.1', 'Host: a', 'Host: b', 'Connection: close'), 400, 'INVALID'],
	['a host with a path', raw('GET /healthz HTTP/1.1', 'Host: a/b?c#d@e', 'Connection: close'), 400, 'INVALID'],
	['half an IPv6 host', raw('GET /healthz HTTP/1.1', 'Host: [::1', 'Connection: close'), 400, 'INVALID'],
	['no address', raw('GET http:// HTTP/1.1', 'Host: x', 'Connection: close'), 400, 'INVALID'],
	['a star', raw('GET * HTTP/1.1', 'Host: x', 'Connection: close'), 400, 'INVALID'],
	['a path with backslashes', get('/api\\v1\\tokens'), 400, 'INVALID'],
	['a path of another host', get('//evil.example/api/v1/tokens'), 404, 'NOT_FOUND'],
	['a path that goes up', get('/api/v1/../v2/tokens'), 404, 'NOT_FOUND'],
	['a path in bytes beyond ASCII', get('/api/v1/plans/é'), 400, 'INVALID'],
	['a path with NUL', get('/api/v1/plans/%00'), 400, 'INVALID'],
	['a path with broken percents', get('/api/v1/plans/%zz'), 404, 'NOT_FOUND'],
	['a path that is no UTF-8', get('/api/v1/plans/%ff%fe'), 404, 'NOT_FOUND'],
	['a path that goes up, encoded', get('/api/v1/plans/..%2f..%2f..%2fetc%2fpasswd'), 404, 'NOT_FOUND'],
	['a path with a slash at its end', get('/api/v1/tokens/'), 404, 'NOT_FOUND'],
	['both length and chunks', { headers: ['Transfer-Encoding: chunked'] }, 400, 'INVALID'],
	['two lengths', { headers: ['Content-Length: 6'] }, 400, 'INVALID'],
	['a negative length', { length: -5 }, 400, 'INVALID'],
	[
		'an unknown transfer encoding',
		raw('POST /api/v1/tokens HTTP/1.1', 'Host: x', 'Transfer-Encoding: odd', 'Connection: close'),
		400,
		'INVALID',
	],
	[
		'a chunk without a length',
		`${raw('POST /api/v1/tokens HTTP/1.1', 'Host: x', key, 'Transfer-Encoding: chunked')}zz\r\n`,
		400,
		'INVALID',
	],
	['a header with a control character', { headers: ['X-A: a\x01b'] }, 400, 'INVALID'],
	['a header with NUL', { headers: ['X-A: a\0b'] }, 400, 'INVALID'],
	['a folded header', { headers: ['X-A: a\r\n b'] }, 400, 'INVALID'],
	['a space before the colon', { headers: ['X-A : a'] }, 400, 'INVALID'],
	['a header of 20 kB', { headers: [`X-A: ${'a'.repeat(20_000)}`] }, 431, 'TOO_LARGE'],
	['3,000 headers', { headers: Array.from({ length: 3000 }, (_, n) => `X-${n}: a`) }, 431, 'TOO_LARGE'],
	['an address of 20 kB', get(`/api/v1/audit?act=${'a'.repeat(20_000)}`), 431, 'TOO_LARGE'],
	[
		'3,000 parameters',
		get(`/api/v1/audit?${Array.from({ length: 3000 }, (_, n) => `a${n}=1`).join('&')}`),
		431,
		'TOO_LARGE',
	],
	['a parameter given twice', get('/api/v1/audit?limit=1&limit=1'), 400, 'INVALID'],
	['another id in the query', { ...noBody, line: 'POST /api/v1/tokens/x/revoke?id=y HTTP/1.1' }, 400, 'INVALID'],
	['a body as parameters', { ...noBody, line: 'POST /api/v1/tokens?name=a&role=viewer HTTP/1.1' }, 400, 'INVALID'],
	['an idempotency key in the query', { line: 'POST /api/v1/tokens?idempotencyKey=k HTTP/1.1' }, 400, 'INVALID'],
	['a parameter as an array', get('/api/v1/audit?limit[]=1'), 400, 'INVALID'],
	['an empty parameter', get('/api/v1/audit?limit='), 400, 'INVALID'],
	['the parameter __proto__', get('/api/v1/audit?__proto__=1'), 400, 'INVALID'],
	['the parameter constructor', get('/api/v1/audit?constructor=1'), 400, 'INVALID'],
	...['1.0', '1e2', '-0', '0', '0x10', '1001', 'NaN', '9'.repeat(20), ' 1'].map(
		(limit): [string, Parts, number, ErrorCode] => [
			`limit ${limit}`,
			get(`/api/v1/audit?limit=${encodeURIComponent(limit)}`),
			400,
			'INVALID',
		],
	),
	...['NaN', '-1', '61', '1e2', 'Infinity', '0x1'].map((wait): [string, Parts, number, ErrorCode] => [
		`wait ${wait}`,
		get(`/api/v1/plans/x?wait=${wait}`),
		400,
		'INVALID',
	]),
	[
		'JSON in the query that names a member twice',
		get(`/api/v1/archive/changes?table=t&key=${encodeURIComponent('{"id":1,"id":2}')}`),
		400,
		'INVALID',
	],
	['JSON in the query that is none', get('/api/v1/archive/changes?table=t&where=%7B'), 400, 'INVALID'],
	['two keys', { headers: ['Authorization: Bearer other'] }, 400, 'INVALID'],
	[
		'two keys in one header',
		raw('GET /api/v1/tokens HTTP/1.1', 'Host: x', 'Connection: close', `${key}, Bearer other`),
		401,
		'UNAUTHENTICATED',
	],
	[
		'a key as a password',
		raw('GET /api/v1/tokens HTTP/1.1', 'Host: x', 'Connection: close', `Authorization: Basic ${btoa(`a:${adminKey}`)}`),
		401,
		'UNAUTHENTICATED',
	],
	[
		'a key of 10 kB',
		raw('GET /api/v1/tokens HTTP/1.1', 'Host: x', 'Connection: close', `Authorization: Bearer ${'k'.repeat(10_000)}`),
		401,
		'UNAUTHENTICATED',
	],
	[
		'a key in the address',
		raw(`GET /api/v1/tokens?key=${adminKey} HTTP/1.1`, 'Host: x', 'Connection: close'),
		401,
		'UNAUTHENTICATED',
	],
	['an idempotency key of 10 kB', { headers: [`Idempotency-Key: ${'k'.repeat(10_000)}`] }, 400, 'INVALID'],
	['an idempotency key of 201', { headers: [`Idempotency-Key: ${'k'.repeat(201)}`] }, 400, 'INVALID'],
	['an empty idempotency key', { headers: ['Idempotency-Key:'] }, 400, 'INVALID'],
	['two idempotency keys', { headers: ['Idempotency-Key: a', 'Idempotency-Key: b'] }, 400, 'INVALID'],
	['an idempotency key with a bell', { headers: ['Idempotency-Key: a\x07b'] }, 400, 'INVALID'],
	...['DELETE', 'PATCH', 'PUT', 'TRACE', 'OPTIONS', 'PROPFIND'].map((method): [string, Parts, number, ErrorCode] => [
		method,
		{ ...noBody, line: `${method} /api/v1/tokens HTTP/1.1` },
		405,
		'INVALID',
	]),
	[
		'a deletion by override',
		{ ...get('/api/v1/tokens/x/revoke'), headers: ['X-HTTP-Method-Override: POST'] },
		405,
		'INVALID',
	],
	['a body that is no UTF-8', { body: Buffer.from('{"name":"\xff\xfe","role":"viewer"}', 'latin1') }, 400, 'INVALID'],
	['half a character', { body: Buffer.from('{"name":"\xc3","role":"viewer"}', 'latin1') }, 400, 'INVALID'],
	['a surrogate in UTF-8', { body: Buffer.from('{"name":"\xed\xa0\x80","role":"viewer"}', 'latin1') }, 400, 'INVALID'],
	['an overlong slash', { body: Buffer.from('{"name":"\xc0\xaf","role":"viewer"}', 'latin1') }, 400, 'INVALID'],
	['half a surrogate pair, escaped', { body: '{"name":"\\ud800","role":"viewer"}' }, 400, 'INVALID'],
	['NUL, escaped', { body: '{"name":"a\\u0000","role":"viewer"}' }, 400, 'INVALID'],
	['UTF-16', { body: Buffer.from(token, 'utf16le') }, 400, 'INVALID'],
	['gzip', { body: gzipSync(token), headers: ['Content-Encoding: gzip'] }, 415, 'INVALID'],
	['a bomb of gzip', { body: gzipSync(Buffer.alloc(50_000_000)), headers: ['Content-Encoding: gzip'] }, 415, 'INVALID'],
	['a member given twice', { body: '{"name":"a","role":"viewer","role":"admin"}' }, 400, 'INVALID'],
	['a member given twice, once escaped', { body: '{"name":"a","role":"viewer","r\\u006fle":"admin"}' }, 400, 'INVALID'],
	[
		'a form',
		raw(
			'POST /api/v1/tokens HTTP/1.1',
			'Host: x',
			'Connection: close',
			key,
			'Content-Type: application/x-www-form-urlencoded',
			'Content-Length: 6',
		).concat('name=a'),
		415,
		'INVALID',
	],
	[
		'no media type',
		raw('POST /api/v1/tokens HTTP/1.1', 'Host: x', 'Connection: close', key, 'Content-Length: 2').concat('{}'),
		415,
		'INVALID',
	],
	['an idempotency key in the body', { body: '{"name":"a","role":"viewer","idempotencyKey":"k"}' }, 400, 'INVALID'],
	['an id in the body too', { line: 'POST /api/v1/tokens/x/revoke HTTP/1.1', body: '{"id":"y"}' }, 400, 'INVALID'],
	[
		'a number that JSON readers round',
		{ line: 'POST /api/v1/archive/search HTTP/1.1', body: '{"table":"a","key":{"id":9007199254740993}}' },
		400,
		'INVALID',
	],
	['a path of nothing', get('/api/v1/nothing'), 404, 'NOT_FOUND'],
	['a parameter of nothing', get('/api/v1/audit?surprise=1'), 400, 'INVALID'],
	['a cursor of nothing', get('/api/v1/audit?cursor=junk'), 400, 'INVALID'],
	['a text', { body: '"text"' }, 400, 'INVALID'],
	['null', { body: 'null' }, 400, 'INVALID'],
	['an array', { body: `[${token}]` }, 400, 'INVALID'],
	['spaces', { body: '   ' }, 400, 'INVALID'],
	['JSON and more', { body: `${token}x` }, 400, 'INVALID'],
	['two values', { body: `${token}${token}` }, 400, 'INVALID'],
	['single quotes', { body: "{'name':'a'}" }, 400, 'INVALID'],
	['NaN', { body: '{"name":NaN,"role":"viewer"}' }, 400, 'INVALID'],
	['infinity', { body: '{"name":"a","role":"viewer","tables":1e309}' }, 400, 'INVALID'],
	['the member __proto__', { body: '{"__proto__":{"role":"admin"},"name":"a"}' }, 400, 'INVALID'],
	['an empty __proto__', { body: '{"__proto__":{},"name":"a","role":"viewer"}' }, 400, 'INVALID'],
	[
		'the member constructor',
		{ body: '{"constructor":{"prototype":{"role":"admin"}},"name":"a","role":"viewer"}' },
		400,
		'INVALID',
	],
	['a member more', { body: '{"name":"a","role":"viewer","createdBy":"me"}' }, 400, 'INVALID'],
	['a body over the limit', { body: `{"name":"${'a'.repeat(2 ** 20)}","role":"viewer"}` }, 413, 'TOO_LARGE'],
]

test.each(refused)('%s is refused as a problem and changes nothing', async (what, parts, status, code) => {
	const before = await contentsOf(database.sql)
	const { text } = await exchange(service.url, typeof parts === 'string' ? parts : bytesOf(parts))
	const [head = '', body = ''] = text.split(/\r\n\r\n(.*)/s)
	const problem = JSON.parse(/^\w+\r\n/.test(body) ? body.replace(/^\w+\r\n|\r\n0\r\n$/g, '') : body) as Problem
	expect([what, head.split('\r\n')[0]?.slice(9, 12), problem.code]).toEqual([what, String(status), code])
	expect(head.toLowerCase()).toContain('content-type: application/problem+json')
	const requestId = /^x-request-id: (.*)$/im.exec(head)?.[1]?.trim()
	expect(problem).toMatchObject({ status, type: `urn:reprieve:error:${code}`, detail: expect.any(String), requestId })
	expect(problem.requestId).toMatch(/^[0-9a-f-]{36}$/)
	expect(await contentsOf(database.sql)).toEqual(before)
})

/** Odd ways to send what is allowed, and what must not make a difference. */
const taken: [what: string, bytes: Parts | string, status: number][] = [
	['HTTP/1.0', { ...get('/api/v1/tokens'), line: 'GET /api/v1/tokens HTTP/1.0' }, 200],
	[
		'headers in capitals',
		raw('GET /api/v1/tokens HTTP/1.1', 'HOST: x', 'CONNECTION: close', `AUTHORIZATION: BEARER ${adminKey}`),
		200,
	],
	['a whole address', get('http://evil.example/api/v1/tokens'), 200],
	['a path with escapes', get('/%61pi/v1/tokens'), 200],
	[
		'forwarded headers',
		get('/api/v1/tokens', [
			'X-Forwarded-Host: evil.example',
			'X-Forwarded-For: 1.2.3.4',
			'X-Forwarded-Proto: https',
			'Forwarded: host=evil.example',
			'X-Original-URL: /metrics',
			'X-Rewrite-URL: /metrics',
		]),
		200,
	],
	['a method to override', get('/api/v1/tokens', ['X-HTTP-Method-Override: DELETE', 'X-Method-Override: POST']), 200],
	['an odd expectation', get('/api/v1/tokens', ['Expect: magic']), 200],
	['a wish for another protocol', get('/api/v1/tokens', ['Upgrade: h2c', 'HTTP2-Settings: x']), 200],
	['a byte order mark', { body: `\ufeff${token}` }, 201],
	['numbers and escapes in a name', { body: '{"name":"\\u0061\\ud83d\\ude00","role":"viewer"}' }, 201],
]

test.each(taken)('%s makes no difference', async (what, parts, status) => {
	const answer = await exchange(service.url, typeof parts === 'string' ? parts : bytesOf(parts))
	expect([what, answer.status]).toEqual([what, status])
	expect(answer.text).toMatch(status === 201 ? /"secret":"rk_/ : /"id":"bootstrap"/)
	expect(answer.text.replace(/^HTTP.*\r\n/, '')).not.toMatch(/evil\.example|1\.2\.3\.4/)
})

const trpc: [
	what: string,
	method: string,
	path: string,
	body: string | Buffer | undefined,
	type: string,
	code: ErrorCode,
	status: number,
][] = [
	['no procedure', 'GET', 'nothing.here', undefined, '', 'NOT_FOUND', 404],
	['the procedure __proto__', 'GET', '__proto__', undefined, '', 'NOT_FOUND', 404],
	['the procedure constructor', 'POST', 'constructor.constructor', '{}', 'application/json', 'NOT_FOUND', 404],
	['a namespace', 'GET', 'tokens', undefined, '', 'NOT_FOUND', 404],
	['input that is no JSON', 'GET', 'system.status?input=%7B', undefined, '', 'INVALID', 400],
	['input as an array', 'POST', 'tokens.create', `[${token}]`, 'application/json', 'INVALID', 400],
	['a change by GET', 'GET', `tokens.create?input=${encodeURIComponent(token)}`, undefined, '', 'INVALID', 405],
	['plain text', 'POST', 'tokens.create', token, 'text/plain', 'INVALID', 415],
	['a form', 'POST', 'tokens.create', 'name=a&role=viewer', 'application/x-www-form-urlencoded', 'INVALID', 415],
	[
		'a member given twice',
		'POST',
		'tokens.create',
		'{"name":"a","role":"viewer","role":"admin"}',
		'application/json',
		'INVALID',
		400,
	],
	[
		'a body that is no UTF-8',
		'POST',
		'tokens.create',
		Buffer.from('{"name":"\xff","role":"viewer"}', 'latin1'),
		'application/json',
		'INVALID',
		400,
	],
	[
		'a member more',
		'POST',
		'tokens.create',
		'{"name":"a","role":"viewer","id":"x"}',
		'application/json',
		'INVALID',
		400,
	],
	[
		'a long idempotency key',
		'POST',
		'tokens.create',
		`{"name":"a","role":"viewer","idempotencyKey":"${'k'.repeat(201)}"}`,
		'application/json',
		'INVALID',
		400,
	],
	[
		'an idempotency key that is a number',
		'POST',
		'tokens.create',
		'{"name":"a","role":"viewer","idempotencyKey":5}',
		'application/json',
		'INVALID',
		400,
	],
	[
		'an idempotency key with NUL',
		'POST',
		'tokens.create',
		'{"name":"a","role":"viewer","idempotencyKey":"\\u0000"}',
		'application/json',
		'INVALID',
		400,
	],
]

test.each(trpc)('over tRPC %s is refused and changes nothing', async (what, method, path, body, type, code, status) => {
	const before = await contentsOf(database.sql)
	const headers = { authorization: `Bearer ${adminKey}`, ...(type ? { 'content-type': type } : {}) }
	const response = await fetch(`${service.url}/trpc/v1/${path}`, { method, headers, body })
	const { error } = (await response.json()) as { error: { data: Problem } }
	expect([what, response.status, error.data.code, error.data.status]).toEqual([what, status, code, status])
	expect(JSON.stringify(error)).not.toMatch(/node_modules|\.ts:|stack/)
	expect(await contentsOf(database.sql)).toEqual(before)
})

/** Sends a piece every 200 ms until the server hangs up; answers what it said last. */
async function trickle(head: string, piece: string): Promise<string> {
	using slow = await openRaw(service.url)
	slow.socket.write(head)
	const timer = setInterval(() => slow.socket.writable && slow.socket.write(piece), 200)
	return await slow.ended.finally(() => clearInterval(timer))
}

test('who sends headers or a body slowly, or not at all, is cut off and holds nobody up', {
	timeout: 90_000,
}, async () => {
	const before = await contentsOf(database.sql)
	const post = `POST /api/v1/tokens HTTP/1.1\r\nHost: x\r\n${key}\r\nContent-Type: application/json\r\n`
	const startedAt = performance.now()
	const slow = Promise.all([
		trickle('', ''),
		trickle('GET /healthz HTTP/1.1\r\nHost: x\r\n', 'X-A: a\r\n'),
		trickle(`${post}Content-Length: 28\r\n\r\n`, ''),
		trickle(`${post}Content-Length: 100000\r\n\r\n`, ' '),
		trickle(`${post}Transfer-Encoding: chunked\r\n\r\n`, '1\r\n \r\n'),
		...Array.from({ length: 200 }, () => trickle(post, 'X-A: a\r\n')),
	])
	let isOver = false
	void slow.then(() => {
		isOver = true
	})
	let answered = 0
	while (!isOver) {
		const from = performance.now()
		expect((await service.call('GET', '/api/v1/tokens')).status).toBe(200)
		expect(performance.now() - from).toBeLessThan(5_000)
		answered += 1
	}
	const seconds = (performance.now() - startedAt) / 1000
	for (const text of await slow) {
		expect(text).toMatch(/^HTTP\/1\.1 408 /)
		expect(text).toContain('application/problem+json')
	}
	expect(answered).toBeGreaterThan(10)
	expect(seconds).toBeLessThan(60)
	expect(await contentsOf(database.sql)).toEqual(before)
})

test('a body that goes on after its refusal is not read for ever', async () => {
	using endless = await openRaw(service.url)
	const chunk = `10000\r\n${' '.repeat(0x10000)}\r\n`
	endless.socket.write(
		`POST /api/v1/tokens HTTP/1.1\r\nHost: x\r\n${key}\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n`,
	)
	const pour = () => {
		while (endless.socket.writable && endless.socket.write(chunk)) {}
	}
	endless.socket.on('drain', pour)
	pour()
	await endless.ended
	expect(endless.socket.bytesWritten).toBeLessThan(64 * 2 ** 20)
	expect((await service.call('GET', '/api/v1/tokens')).status).toBe(200)
})

test('bytes that are no request are not answered within the answer before them', async () => {
	await database.sql`
		insert into reprieve.runs (id, plan_id, status, "table", reason, actor, planned, batch_rows, target_ms, exposure_rows, created_at)
		values ('watched', 'p', 'paused', 't', 'x', 'x', 1, 1, 1, 1, now())`
	const input = encodeURIComponent(JSON.stringify({ id: 'watched' }))
	using watcher = await openRaw(service.url)
	watcher.socket.write(
		`GET /trpc/v1/runs.watch?input=${input} HTTP/1.1\r\nHost: x\r\n${key}\r\nAccept: text/event-stream\r\n\r\n`,
	)
	await until(async () => watcher.text().includes('"status":"paused"'), 'the state of the run', 60_000)
	watcher.socket.write('hello\r\n\r\n')
	expect((await watcher.ended).match(/HTTP\/1\.1 /g)).toHaveLength(1)
})
