import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { type ErrorCode, exitCode } from '@reprieve/contracts'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { reprieve } from '../e2e/launcher.ts'
import { freshDatabase, type TestDatabase } from '../support/postgres.ts'
import { adminKey, startTestService, type TestService } from '../surfaces/support.ts'
import { contentsOf } from './contents.ts'

let database: TestDatabase
let service: TestService
let folder: string
let env: Record<string, string>
beforeAll(async () => {
	database = await freshDatabase()
	await database.sql`create table public.t (id int primary key)`
	service = await startTestService(database, { capture: true })
	folder = await mkdtemp(join(tmpdir(), 'reprieve-cli-'))
	await writeFile(join(folder, 'empty'), '')
	await writeFile(join(folder, 'odd'), '\0\u00ff\n')
	await writeFile(join(folder, 'broken.json'), '{"and": [')
	env = { REPRIEVE_URL: service.url, REPRIEVE_API_KEY: adminKey, REPRIEVE_DATA: folder }
})
afterAll(async () => {
	await service?.[Symbol.asyncDispose]()
	await database?.[Symbol.asyncDispose]()
	await rm(folder, { recursive: true, force: true })
})

const match = ['plan', 'match', 't', '--where']
/** Command lines that are refused, and with which code; `env` is laid over the working one. */
const refused: [args: string[], code: ErrorCode, env?: Record<string, string>][] = [
	[['no-such-verb'], 'INVALID'],
	[['status', '--no-such-option'], 'INVALID'],
	[['status', 'too', 'many'], 'INVALID'],
	[['plan'], 'INVALID'],
	[['plan', 'rubbish', 't'], 'INVALID'],
	[['plan', '__proto__', 't'], 'INVALID'],
	[['plan', 'stale', 't', '--column', 'id', '--older-than', 'yesterday'], 'INVALID'],
	[[...match, '{'], 'INVALID'],
	[[...match, 'null'], 'INVALID'],
	[[...match, '[]'], 'INVALID'],
	[[...match, '{"sql":"1=1"}'], 'INVALID'],
	[[...match, '{"column":"id","op":"eq","value":9007199254740993}'], 'INVALID'],
	[[...match, `${'{"not":'.repeat(10_000)}1${'}'.repeat(10_000)}`], 'INVALID'],
	[[...match, '@/no/such/file'], 'INVALID'],
	[[...match, '@/dev/null'], 'INVALID'],
	[['plan', 'match', "t'; drop table t; --", '--where', '{"and":[]}'], 'NOT_FOUND'],
	[['plan', 'match', 'a.b.c', '--where', '{"and":[]}'], 'INVALID'],
	[['plan', 'match', '\u001b]0;evil\u0007', '--where', '{"and":[]}'], 'NOT_FOUND'],
	[['plans', '../../etc/passwd'], 'NOT_FOUND'],
	[['plans', '--limit', '1e3'], 'INVALID'],
	[['plans', '--limit', '-1'], 'INVALID'],
	[['plans', '--cursor', 'junk'], 'INVALID'],
	[['runs', 'show', '00000000-0000-4000-8000-000000000000'], 'NOT_FOUND'],
	[['run', 'absent', '--reason', 'x'], 'NOT_FOUND'],
	[['run', 'absent', '--reason', 'x', '--rows-per-second', '0'], 'INVALID'],
	[['run', 'absent', '--reason', 'x', '--rows-per-second', '1k'], 'INVALID'],
	[['run', 'absent', '--reason', 'x', '--log-per-second', '-1'], 'INVALID'],
	[['run', 'absent', '--reason', 'x', '--window', 'always'], 'INVALID'],
	[['run', 'absent', '--reason', 'x', '--window', '24:00-06:00'], 'INVALID'],
	[['run', 'absent', '--reason', 'x', '--window', '06:00-06:00'], 'INVALID'],
	[['run', 'absent', '--reason', 'x', '--window', '22:00-06:00', '--time-zone', 'Mars/Olympus'], 'INVALID'],
	[['run', 'absent', '--reason', 'x', '--time-zone', 'UTC'], 'INVALID'],
	[['approve', 'absent', '--hash', 'x'], 'NOT_FOUND'],
	[['discard', 'absent'], 'NOT_FOUND'],
	[['restore', '--run', 'absent', '--reason', 'x'], 'INVALID'],
	[['restore', '--yes', '--reason', 'x'], 'INVALID'],
	[['search', '--table', 't', '--key', 'id'], 'INVALID'],
	[['search', '--table', 't', '--from', 'yesterday'], 'INVALID'],
	[['tables', 'absent'], 'NOT_FOUND'],
	[['verify', 'absent'], 'NOT_FOUND'],
	[['tokens', 'create', 'a', '--role', 'king'], 'INVALID'],
	[['status'], 'UNAUTHENTICATED', { REPRIEVE_API_KEY: 'wrong' }],
	[['status'], 'UNAUTHENTICATED', { REPRIEVE_API_KEY: 'k'.repeat(5000) }],
	[['status'], 'UNAUTHENTICATED', { REPRIEVE_API_KEY: 'a\nX-Evil: 1' }],
	[['status'], 'UNAUTHENTICATED', { REPRIEVE_API_KEY: 'ключ' }],
	[['status'], 'UNAUTHENTICATED', { REPRIEVE_API_KEY: '' }],
	[['--key-file', '/no/such/file', 'status'], 'UNAUTHENTICATED'],
	[['--key-file', '/', 'status'], 'UNAUTHENTICATED'],
	[['status'], 'UNAVAILABLE', { REPRIEVE_URL: 'http://127.0.0.1:1' }],
	[['status'], 'INVALID', { REPRIEVE_URL: 'nonsense' }],
	[['status'], 'INVALID', { REPRIEVE_URL: 'ftp://127.0.0.1' }],
	[['status'], 'INVALID', { REPRIEVE_URL: 'http://[::1' }],
	[['--url', 'file:///etc/passwd', 'status'], 'INVALID'],
]

test.concurrent.each(refused)('%j is refused by code and exit code', async (args, code, over) => {
	const ran = await reprieve({ ...env, ...over }, '--json', ...args)
	expect([args, ran.code, ran.output]).toEqual([args, exitCode(code), ''])
	const told = JSON.parse(ran.errors) as Record<string, unknown>
	expect([args, told.code]).toEqual([args, code])
	expect(told).toMatchObject({ message: expect.any(String), retryable: expect.any(Boolean) })
	expect(ran.errors).not.toMatch(/node_modules|\.ts:\d|\n\s+at /)
	expect(ran.errors).not.toContain(adminKey)
})

test('what was refused has changed nothing', async () => {
	const before = await contentsOf(database.sql)
	for (const args of [
		['protect', 'absent'],
		[...match, '{"or":[]'],
		['tokens', 'create', 'x', '--role', 'king'],
	]) {
		await reprieve(env, ...args)
	}
	expect(await contentsOf(database.sql)).toEqual(before)
})

test('without a terminal a restore asks nothing and writes nothing unless told to', async () => {
	const ran = await reprieve(env, 'restore', '--table', 't', '--where', '{"and":[]}', '--reason', 'x')
	expect(ran.code).not.toBe(0)
	expect(ran.errors).toMatch(/^[A-Z_]+: /)
	expect(await database.sql`select from reprieve.restores`).toHaveLength(0)
})

test('a reader that goes away ends the command without a stack', async () => {
	const main = fileURLToPath(new URL('../../apps/cli/src/main.ts', import.meta.url))
	for (let n = 0; n < 30; n++) await service.call('POST', '/api/v1/tokens', { name: 'x'.repeat(100), role: 'viewer' })
	const child = spawn(process.execPath, [main, '--json', 'tokens'], {
		env: { PATH: process.env.PATH, ...env },
		stdio: ['ignore', 'pipe', 'pipe'],
	})
	let errors = ''
	child.stderr.on('data', (chunk: Buffer) => (errors += chunk))
	child.stdout.destroy()
	const [code] = await once(child, 'close')
	expect({ code, errors }).toEqual({ code: 0, errors: '' })
})

/** A server that is no reprieve. */
async function stranger(
	answer: (write: (status: number, type: string, body: string) => void) => void,
): Promise<Server> {
	const server = createServer((_request, response) =>
		answer((status, type, body) => {
			response.writeHead(status, { 'content-type': type }).end(body)
		}),
	)
	server.listen(0, '127.0.0.1')
	await once(server, 'listening')
	return server
}

const strangers: [what: string, status: number, type: string, body: string, code: ErrorCode][] = [
	['a web page', 200, 'text/html', '<html></html>', 'UNAVAILABLE'],
	['another JSON', 200, 'application/json', '{"hello": "world"}', 'INTERNAL'],
	['broken JSON', 200, 'application/json', '{', 'UNAVAILABLE'],
	[
		'an unknown code',
		400,
		'application/json',
		'{"error":{"message":"x","code":1,"data":{"code":"NOVEL","detail":"x"}}}',
		'INTERNAL',
	],
	['a gateway that is down', 502, 'text/html', '<html></html>', 'UNAVAILABLE'],
	['nothing', 503, 'text/plain', '', 'UNAVAILABLE'],
]

test.each(strangers)('a server that answers %s is told apart from reprieve', async (what, status, type, body, code) => {
	const server = await stranger((write) => write(status, type, body))
	try {
		const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
		const ran = await reprieve({ ...env, REPRIEVE_URL: url }, '--json', 'status')
		expect([what, ran.code, ran.output, JSON.parse(ran.errors).code]).toEqual([what, exitCode(code), '', code])
		expect(ran.errors).not.toMatch(/node_modules|\n\s+at /)
	} finally {
		server.closeAllConnections()
		server.close()
	}
})
