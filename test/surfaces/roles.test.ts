import { type Role, roles } from '@reprieve/contracts'
import { expect, test } from 'vitest'
import { freshDatabase } from '../support/postgres.ts'
import { problemOf, startTestService } from './support.ts'

/** Least role of each call, as the operator's guide has it. */
const least: Record<string, Role> = {
	'GET /api/v1/system/status': 'viewer',
	'GET /api/v1/system/incidents': 'viewer',
	'GET /api/v1/tables': 'viewer',
	'GET /api/v1/tables/t': 'viewer',
	'GET /api/v1/plans': 'viewer',
	'GET /api/v1/plans/x': 'viewer',
	'GET /api/v1/plans/x/rows': 'viewer',
	'GET /api/v1/runs': 'viewer',
	'GET /api/v1/runs/x': 'viewer',
	'GET /api/v1/restores': 'viewer',
	'GET /api/v1/restores/x': 'viewer',
	'GET /api/v1/restores/x/report': 'viewer',
	'GET /api/v1/archive/changes': 'viewer',
	'GET /api/v1/policies': 'viewer',
	'POST /api/v1/archive/search': 'viewer',
	'POST /api/v1/archive/barrier': 'operator',
	'POST /api/v1/tables/protect': 'operator',
	'POST /api/v1/plans': 'operator',
	'POST /api/v1/plans/x/discard': 'operator',
	'POST /api/v1/runs': 'operator',
	'POST /api/v1/runs/x/pause': 'operator',
	'POST /api/v1/runs/x/resume': 'operator',
	'POST /api/v1/runs/x/cancel': 'operator',
	'POST /api/v1/restores/preview': 'operator',
	'POST /api/v1/restores': 'operator',
	'POST /api/v1/restores/x/undo': 'operator',
	'POST /api/v1/system/verify': 'operator',
	'PUT /api/v1/policies/p': 'operator',
	'POST /api/cleanup/duplicates': 'operator',
	'POST /api/cleanup/stale': 'operator',
	'POST /api/cleanup/orphans': 'operator',
	'POST /api/cleanup/incomplete': 'operator',
	'POST /api/cleanup/match': 'operator',
	'POST /api/v1/plans/x/approve': 'approver',
	'POST /api/v1/system/incidents/x/resolve': 'admin',
	'POST /api/v1/tables/unprotect': 'admin',
	'GET /api/v1/audit': 'admin',
	'GET /api/v1/audit/verify': 'admin',
	'GET /api/v1/tokens': 'admin',
	'POST /api/v1/tokens': 'admin',
	'POST /api/v1/tokens/x/revoke': 'admin',
}

test('every call refuses the roles below its own, and no others', async () => {
	await using database = await freshDatabase()
	await using service = await startTestService(database)
	for (const role of roles) {
		const key = await service.keyFor(role)
		for (const [call, needed] of Object.entries(least)) {
			const [method = '', path = ''] = call.split(' ')
			const body = path.endsWith('/barrier') ? { timeoutMs: 1 } : {}
			const answer = await service.call(method, path, method === 'GET' ? undefined : body, { key })
			const isRefused = problemOf(answer).code === 'FORBIDDEN'
			expect([role, call, isRefused]).toEqual([role, call, roles.indexOf(role) < roles.indexOf(needed)])
		}
	}
})

test('a key makes no key that may do more than itself', async () => {
	await using database = await freshDatabase()
	await using service = await startTestService(database)
	const bound = await service.keyFor('admin', ['orders'])
	const create = (body: object) => service.call('POST', '/api/v1/tokens', { name: 'x', ...body }, { key: bound })
	expect(problemOf(await create({ role: 'viewer' })).code).toBe('FORBIDDEN')
	expect(problemOf(await create({ role: 'viewer', tables: ['orders', 'customers'] })).code).toBe('FORBIDDEN')
	expect((await create({ role: 'viewer', tables: ['public.orders'] })).body).toMatchObject({ tables: ['orders'] })
})

test('a revoked key is refused from the next call on, and the last admin key stays', async () => {
	await using database = await freshDatabase()
	await using service = await startTestService(database)
	const { body } = await service.call<{ id: string; secret: string }>('POST', '/api/v1/tokens', {
		name: 'a',
		role: 'viewer',
	})
	expect((await service.call('GET', '/api/v1/system/status', undefined, { key: body.secret })).status).toBe(200)
	await service.call('POST', `/api/v1/tokens/${body.id}/revoke`, {})
	expect((await service.call('GET', '/api/v1/system/status', undefined, { key: body.secret })).status).toBe(401)
	const admin = await service.call('POST', '/api/v1/tokens/bootstrap/revoke', {})
	expect(problemOf(admin)).toMatchObject({ code: 'CONFLICT' })
})

test('only the hash of a key is stored', async () => {
	await using database = await freshDatabase()
	await using service = await startTestService(database)
	const secret = await service.keyFor('viewer')
	expect(secret).toMatch(/^rk_[\w-]{43}$/)
	const [row] = await database.sql<{ text: string }[]>`select string_agg(k::text, ' ') as text from reprieve.api_keys k`
	expect(row?.text).not.toContain(secret)
})
