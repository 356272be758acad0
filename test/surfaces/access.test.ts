import { expect, test } from 'vitest'
import { freshDatabase } from '../support/postgres.ts'
import { problemOf, startTestService } from './support.ts'

test('nothing but the open parts answers without a key', async () => {
	await using database = await freshDatabase()
	await using service = await startTestService(database)
	expect((await service.call('GET', '/healthz', undefined, { key: null })).status).toBe(200)
	for (const path of ['/api/v1/system/status', '/api/v1/tables', '/metrics', '/trpc/v1/system.status']) {
		const answer = await service.call('GET', path, undefined, { key: null })
		expect([path, answer.status]).toEqual([path, 401])
	}
	const refused = await service.call('GET', '/api/v1/system/status', undefined, { key: 'rk_wrong' })
	expect(problemOf(refused)).toMatchObject({ status: 401, code: 'UNAUTHENTICATED', retryable: false })
	expect(refused.headers.get('content-type')).toBe('application/problem+json')
})

test('status answers on REST and tRPC alike', async () => {
	await using database = await freshDatabase()
	await using service = await startTestService(database)
	const rest = await service.call('GET', '/api/v1/system/status')
	const trpc = await service.call<{ result: { data: unknown } }>('GET', '/trpc/v1/system.status?input={}')
	expect([rest.status, trpc.status]).toEqual([200, 200])
	expect(rest.body).toMatchObject({ status: 'stopped', incidents: [] })
	expect(Object.keys(trpc.body.result.data as object)).toEqual(Object.keys(rest.body))
})
