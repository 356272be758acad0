import { expect, test } from 'vitest'
import { freshDatabase } from '../support/postgres.ts'
import { problemOf, startTestService } from './support.ts'

const path = '/api/v1/tokens/nobody/revoke'

test('the same key and body get the first answer again, refusals included', async () => {
	await using database = await freshDatabase()
	await using service = await startTestService(database)
	const { body: token } = await service.call<{ id: string }>('POST', '/api/v1/tokens', { name: 'a', role: 'viewer' })
	const revoke = () =>
		service.call('POST', `/api/v1/tokens/${token.id}/revoke`, {}, { headers: { 'idempotency-key': 'k1' } })
	const [first, second] = [await revoke(), await revoke()]
	expect([first.status, second.status]).toEqual([200, 200])
	expect(second.body).toEqual(first.body)
	const refuse = () => service.call('POST', path, {}, { headers: { 'idempotency-key': 'k2' } })
	const [refused, again] = [await refuse(), await refuse()]
	expect(problemOf(refused)).toMatchObject({ code: 'NOT_FOUND' })
	expect(problemOf(again)).toMatchObject({ code: 'NOT_FOUND', detail: problemOf(refused).detail })
	const done = await database.sql`select act from reprieve.audit where act = 'tokens.revoke' and outcome = 'asked'`
	expect(done).toHaveLength(2)
})

test('the same key with another body is a mismatch, and changes nothing', async () => {
	await using database = await freshDatabase()
	await using service = await startTestService(database)
	const create = (name: string) =>
		service.call('POST', '/api/v1/tokens', { name, role: 'viewer' }, { headers: { 'idempotency-key': 'k' } })
	expect((await create('one')).status).toBe(201)
	expect(problemOf(await create('two'))).toMatchObject({ status: 422, code: 'IDEMPOTENCY_MISMATCH' })
	expect(await database.sql`select name from reprieve.api_keys order by name`).toEqual([
		{ name: 'bootstrap' },
		{ name: 'one' },
	])
})

test('a key belongs to one principal and one procedure', async () => {
	await using database = await freshDatabase()
	await using service = await startTestService(database)
	const other = await service.keyFor('admin')
	const headers = { 'idempotency-key': 'k' }
	expect((await service.call('POST', '/api/v1/tokens', { name: 'a', role: 'viewer' }, { headers })).status).toBe(201)
	expect(
		(await service.call('POST', '/api/v1/tokens', { name: 'b', role: 'viewer' }, { headers, key: other })).status,
	).toBe(201)
	expect((await service.call('POST', path, {}, { headers })).status).toBe(404)
})

test('of ten calls at once with one key, on two services, one acts', async () => {
	await using database = await freshDatabase()
	await using left = await startTestService(database)
	await using right = await startTestService(database)
	const create = (n: number) =>
		(n % 2 ? left : right).call(
			'POST',
			'/api/v1/tokens',
			{ name: 'race', role: 'viewer' },
			{ headers: { 'idempotency-key': 'k' } },
		)
	const answers = await Promise.all(Array.from({ length: 10 }, (_, n) => create(n)))
	expect(answers.filter((answer) => answer.status === 201)).toHaveLength(1)
	for (const answer of answers) if (answer.status !== 201) expect(problemOf(answer).code).toBe('CONFLICT')
	expect(await database.sql`select count(*)::int as n from reprieve.api_keys where name = 'race'`).toEqual([{ n: 1 }])
})

test('a call in flight is a retryable conflict until its claim lapses', async () => {
	await using database = await freshDatabase()
	await using service = await startTestService(database)
	const revoke = () => service.call('POST', path, {}, { headers: { 'idempotency-key': 'k' } })
	await revoke()
	await database.sql`update reprieve.idempotency set answer = null, in_flight_until = now() + interval '1 minute'`
	expect(problemOf(await revoke())).toMatchObject({ status: 409, code: 'CONFLICT', retryable: true })
	await database.sql`update reprieve.idempotency set in_flight_until = now() - interval '1 second'`
	expect(problemOf(await revoke())).toMatchObject({ code: 'NOT_FOUND' })
})

test('a key of 8 days ago is free, whatever it came with', async () => {
	await using database = await freshDatabase()
	await using service = await startTestService(database)
	const create = (name: string) =>
		service.call('POST', '/api/v1/tokens', { name, role: 'viewer' }, { headers: { 'idempotency-key': 'k' } })
	await create('one')
	await database.sql`update reprieve.idempotency set created_at = now() - interval '8 days'`
	expect((await create('two')).status).toBe(201)
})

test("a new key's secret is nowhere in the database, so a repeated call says so", async () => {
	await using database = await freshDatabase()
	await using service = await startTestService(database)
	const create = () =>
		service.call<{ secret: string }>(
			'POST',
			'/api/v1/tokens',
			{ name: 'a', role: 'viewer' },
			{ headers: { 'idempotency-key': 'k' } },
		)
	const { secret } = (await create()).body
	expect(problemOf(await create())).toMatchObject({ code: 'CONFLICT', retryable: false })
	const stored = await database.sql<{ text: string }[]>`
		select i::text as text from reprieve.idempotency i union all select a::text from reprieve.audit a
		union all select k::text from reprieve.api_keys k`
	expect(stored.filter(({ text }) => text.includes(secret))).toEqual([])
})

test('tRPC takes the key as a field, and shares it with REST', async () => {
	await using database = await freshDatabase()
	await using service = await startTestService(database)
	const input = { id: 'nobody', idempotencyKey: 'k' }
	const first = await service.call<{ error: { data: { code: string } } }>('POST', '/trpc/v1/tokens.revoke', input)
	expect(first.body.error.data.code).toBe('NOT_FOUND')
	await service.call('POST', path, {}, { headers: { 'idempotency-key': 'k' } })
	expect(await database.sql`select count(*)::int as n from reprieve.idempotency`).toEqual([{ n: 1 }])
})
