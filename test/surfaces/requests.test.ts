import { expect, test } from 'vitest'
import { freshDatabase, freshLatin1Database } from '../support/postgres.ts'
import { startTestService } from './support.ts'

test('a known path under another method names the methods that it has', async () => {
	await using database = await freshDatabase()
	await using service = await startTestService(database)
	const answer = await service.call('DELETE', '/api/v1/plans')
	expect(answer.headers.get('allow')).toBe('POST, GET')
})

test('every answer carries the security headers, a request id, and no permission for other origins', async () => {
	await using database = await freshDatabase()
	await using service = await startTestService(database)
	const headers = { origin: 'https://elsewhere.example', host: 'api.example.com', 'x-forwarded-host': 'evil.example' }
	for (const path of ['/healthz', '/api/v1/system/status', '/trpc/v1/system.status?input={}', '/nothing']) {
		const answer = await service.call('GET', path, undefined, { headers })
		expect(answer.headers.get('content-security-policy')).toContain("default-src 'none'")
		expect(answer.headers.get('x-content-type-options')).toBe('nosniff')
		expect(answer.headers.get('x-request-id')).toMatch(/^[0-9a-f-]{36}$/)
		expect(answer.headers.get('access-control-allow-origin')).toBeNull()
	}
})

test('a mutation in a batch, a GET that changes something and a batch of 21 are refused', async () => {
	await using database = await freshDatabase()
	await using service = await startTestService(database)
	const body = { 0: { id: 'a' }, 1: { id: 'b' } }
	type Batch = { error: { data: { code: string } } }[]
	const batch = await service.call<Batch>('POST', '/trpc/v1/tokens.revoke,tokens.revoke?batch=1', body)
	expect(batch.body[0]?.error.data.code).toBe('INVALID')
	const get = await service.call('GET', `/trpc/v1/tokens.revoke?input=${encodeURIComponent('{"id":"a"}')}`)
	expect(get.status).toBe(405)
	const many = await service.call('GET', `/trpc/v1/${Array(21).fill('system.status').join(',')}?batch=1&input={}`)
	expect(many.status).toBe(400)
	const recorded = await database.sql`select act, outcome from reprieve.audit`
	expect(recorded.map(({ act, outcome }) => `${act} ${outcome}`)).toEqual(Array(2).fill('tokens.revoke INVALID'))
})

test('a batch counts as its calls', async () => {
	await using database = await freshDatabase()
	await using service = await startTestService(database, { rateLimit: 5 })
	const input = JSON.stringify(Object.fromEntries(Array.from({ length: 7 }, (_, n) => [n, {}])))
	type Batch = ({ result: object } | { error: { data: { code: string; retryable: boolean } } })[]
	const path = `/trpc/v1/${Array(7).fill('system.status').join(',')}?batch=1&input=${encodeURIComponent(input)}`
	const { body } = await service.call<Batch>('GET', path)
	const refused = body.flatMap((answer) => ('error' in answer ? [answer.error.data] : []))
	expect(refused).toHaveLength(2)
	expect(refused[0]).toMatchObject({ code: 'RATE_LIMITED', retryable: true })
	const rest = await service.call('GET', '/api/v1/system/status')
	expect([rest.status, rest.headers.get('retry-after')]).toEqual([429, '5'])
})

test('equal reads that come at once each count as a call, and each of their refusals is recorded', async () => {
	await using database = await freshDatabase()
	await using service = await startTestService(database, { rateLimit: 12 })
	const viewer = await service.keyFor('viewer', ['public.a'])
	const atOnce = (calls: number, path: string, key?: string) =>
		Promise.all(Array.from({ length: calls }, () => service.call('GET', path, undefined, key ? { key } : {})))
	const refused = await atOnce(6, '/api/v1/tokens', viewer)
	expect(refused.map(({ status }) => status)).toEqual(Array(6).fill(403))
	const recorded = await database.sql<{ request: string }[]>`
		select request_id as request from reprieve.audit where act = 'tokens.list' and outcome = 'FORBIDDEN'`
	const ids = refused.map(({ headers }) => headers.get('x-request-id'))
	expect(recorded.map(({ request }) => request).toSorted()).toEqual(ids.toSorted())
	const statuses = (await atOnce(14, '/api/v1/system/status')).map(({ status }) => status)
	// The admin's key has made another one before.
	expect(statuses.toSorted()).toEqual([...Array(11).fill(200), ...Array(3).fill(429)])
})

test('runs asked for at once come each to who asked for it and may see it', async () => {
	await using database = await freshDatabase()
	await using service = await startTestService(database)
	const ids = ['a', 'b', '}', '"', String.raw`\"`, 'a,b', 'NULL']
	await database.sql`
		insert into reprieve.runs (id, plan_id, status, "table", reason, actor, planned, batch_rows, target_ms, exposure_rows, created_at)
		select id, id, 'succeeded', case when id = 'b' then 'other' else 'one' end, 'test', 'test', 1, 1, 1, 1, now()
		from json_array_elements_text(${JSON.stringify(ids)}::text::json) id`
	const key = await service.keyFor('viewer', ['one'])
	const ask = (id: string, options = {}) =>
		service.call('GET', `/api/v1/runs/${encodeURIComponent(id)}`, undefined, options)
	const asked = [...ids, 'a', 'none', 'b}']
	const answers = await Promise.all([...asked.map((id) => ask(id)), ...asked.map((id) => ask(id, { key }))])
	const told = answers.map(({ body }) => body.id ?? body.code)
	const all = [...ids, 'a', 'NOT_FOUND', 'NOT_FOUND']
	expect(told).toEqual([...all, ...all.map((id) => (id === 'b' ? 'FORBIDDEN' : id))])
})

test('a run whose id the database cannot write fails nobody who asks for another one at once', async () => {
	await using database = await freshLatin1Database()
	await using service = await startTestService(database)
	const ask = (id: string) => service.call('GET', `/api/v1/runs/${encodeURIComponent(id)}`)
	const told = async (ids: string[]) => (await Promise.all(ids.map(ask))).map(({ body }) => body.code)
	expect(await told(['\u2713'])).toEqual(['INTERNAL'])
	expect(await told(['none', '\u2713', 'neither'])).toEqual(['NOT_FOUND', 'INTERNAL', 'NOT_FOUND'])
})

test('what fails inside is neutral outside', async () => {
	await using database = await freshDatabase()
	await using service = await startTestService(database)
	await database.sql`drop table reprieve.incidents`
	const rest = await service.call('GET', '/api/v1/system/status')
	const trpc = await service.call('GET', '/trpc/v1/system.status?input={}')
	for (const answer of [rest, trpc]) {
		expect(answer.status).toBe(500)
		expect(JSON.stringify(answer.body)).toContain('"code":"INTERNAL"')
		expect(JSON.stringify(answer.body)).not.toMatch(/incidents|stack|select/i)
	}
})

test('readiness follows capture, health does not', async () => {
	await using database = await freshDatabase()
	await using service = await startTestService(database)
	expect((await service.call('GET', '/readyz', undefined, { key: null })).status).toBe(503)
	await database.sql`
		insert into reprieve.capture_state (id, lineage, state, heartbeat_at) values (1, 'l', 'streaming', now())`
	expect((await service.call('GET', '/readyz', undefined, { key: null })).status).toBe(200)
	expect((await service.call('GET', '/api/v1/system/status')).body).toMatchObject({ status: 'ok' })
	await database.sql`update reprieve.capture_state set heartbeat_at = now() - interval '1 minute'`
	expect((await service.call('GET', '/readyz', undefined, { key: null })).status).toBe(503)
})
