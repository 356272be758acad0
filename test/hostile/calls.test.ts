import type { ErrorCode } from '@reprieve/contracts'
import { expect, test } from 'vitest'
import { freshDatabase } from '../support/postgres.ts'
import { problemOf, startTestService } from '../surfaces/support.ts'
import { contentsOf } from './contents.ts'
import { expectRefusal } from './refusal.ts'

const where = { column: 'id', op: 'eq', value: 1 }
const match = { kind: 'match', table: 't', where }

/** Calls that no service can take as they are, each with the code of its refusal. */
const refused: [call: string, body: unknown, code: ErrorCode][] = [
	['POST /api/v1/tables/protect', {}, 'INVALID'],
	['POST /api/v1/tables/protect', { tables: [] }, 'INVALID'],
	['POST /api/v1/tables/protect', { tables: 't' }, 'INVALID'],
	['POST /api/v1/tables/protect', { tables: ['t'], truncate: 'maybe' }, 'INVALID'],
	['POST /api/v1/tables/protect', { tables: ['a.b.c'] }, 'INVALID'],
	['POST /api/v1/tables/protect?wait=61', { tables: ['t'] }, 'INVALID'],
	['POST /api/v1/tables/unprotect', { tables: [''] }, 'INVALID'],
	['GET /api/v1/tables/absent', undefined, 'NOT_FOUND'],
	['GET /api/v1/tables/a.b.c', undefined, 'INVALID'],
	['POST /api/v1/plans', {}, 'INVALID'],
	['POST /api/v1/plans', { policy: { ...match, kind: 'everything' } }, 'INVALID'],
	['POST /api/v1/plans', { policy: { ...match, table: 'absent' } }, 'NOT_FOUND'],
	['POST /api/v1/plans', { policy: { ...match, table: 't; drop table t' } }, 'NOT_FOUND'],
	['POST /api/v1/plans', { policy: { ...match, where: { ...where, column: 'absent' } } }, 'INVALID'],
	['POST /api/v1/plans', { policy: { ...match, where: { ...where, op: '=' } } }, 'INVALID'],
	['POST /api/v1/plans', { policy: { ...match, where: { ...where, value: 'one' } } }, 'INVALID'],
	['POST /api/v1/plans', { policy: { ...match, where: { ...where, value: null } } }, 'INVALID'],
	['POST /api/v1/plans', { policy: { ...match, where: { ...where, sql: '1=1' } } }, 'INVALID'],
	['POST /api/v1/plans', { policy: { ...match, where: nested(17) } }, 'INVALID'],
	['POST /api/v1/plans', { policy: { kind: 'stale', table: 't', column: 'id', olderThan: '90 days' } }, 'INVALID'],
	['POST /api/v1/plans', { policy: { kind: 'stale', table: 't', column: 'id', olderThan: 'P90D' } }, 'INVALID'],
	['POST /api/v1/plans', { policy: { kind: 'duplicates', table: 't', key: ['id'], keep: 'newest' } }, 'INVALID'],
	['POST /api/v1/plans', { policy: { kind: 'duplicates', table: 't', key: [], keep: 'newest', by: 'id' } }, 'INVALID'],
	['POST /api/v1/plans', { policy: { kind: 'incomplete', table: 't', missing: ['absent'] } }, 'INVALID'],
	['POST /api/v1/plans', { policy: { name: 'absent' } }, 'NOT_FOUND'],
	['POST /api/v1/plans', { policy: { name: 'Not A Name' } }, 'INVALID'],
	['POST /api/v1/plans', { policy: match, reason: '' }, 'INVALID'],
	['GET /api/v1/plans?status=odd', undefined, 'INVALID'],
	['GET /api/v1/plans?cursor=junk', undefined, 'INVALID'],
	['GET /api/v1/plans/absent', undefined, 'NOT_FOUND'],
	['GET /api/v1/plans/absent?wait=soon', undefined, 'INVALID'],
	['GET /api/v1/plans/absent/rows', undefined, 'NOT_FOUND'],
	['POST /api/v1/plans/absent/approve', { hash: 'x' }, 'NOT_FOUND'],
	['POST /api/v1/plans/absent/approve', {}, 'INVALID'],
	['POST /api/v1/plans/absent/discard', {}, 'NOT_FOUND'],
	['PUT /api/v1/policies/p', { policy: { ...match, table: 'absent' } }, 'NOT_FOUND'],
	['PUT /api/v1/policies/P', { policy: match }, 'INVALID'],
	['GET /api/v1/policies/absent', undefined, 'NOT_FOUND'],
	['POST /api/v1/runs', { planId: 'absent', reason: 'x' }, 'NOT_FOUND'],
	['POST /api/v1/runs', { planId: 'absent' }, 'INVALID'],
	['POST /api/v1/runs', { planId: 'absent', reason: 'x', batch: { rows: 0 } }, 'INVALID'],
	['POST /api/v1/runs', { planId: 'absent', reason: 'x', batch: { rows: '5' } }, 'INVALID'],
	['GET /api/v1/runs/absent', undefined, 'NOT_FOUND'],
	['GET /api/v1/runs/absent/drifted', undefined, 'NOT_FOUND'],
	['POST /api/v1/runs/absent/pause', {}, 'NOT_FOUND'],
	['POST /api/v1/runs/absent/resume', {}, 'NOT_FOUND'],
	['POST /api/v1/runs/absent/cancel', {}, 'NOT_FOUND'],
	['POST /api/v1/archive/barrier', { timeoutMs: 0 }, 'INVALID'],
	['POST /api/v1/archive/barrier', { timeoutMs: 1 }, 'ARCHIVE_LAGGING'],
	['POST /api/v1/restores/preview', {}, 'INVALID'],
	['POST /api/v1/restores/preview', { selection: { run: 'a', transaction: 'b' } }, 'INVALID'],
	['POST /api/v1/restores/preview', { selection: { run: 'a' }, conflict: 'perhaps' }, 'INVALID'],
	['POST /api/v1/restores', { selection: { run: 'a' }, reason: 'x' }, 'INVALID'],
	['GET /api/v1/restores/absent', undefined, 'NOT_FOUND'],
	['GET /api/v1/restores/absent/report', undefined, 'NOT_FOUND'],
	['POST /api/v1/restores/absent/pause', {}, 'NOT_FOUND'],
	['POST /api/v1/restores/absent/resume', {}, 'NOT_FOUND'],
	['POST /api/v1/restores/absent/cancel', {}, 'NOT_FOUND'],
	['POST /api/v1/restores/absent/undo', {}, 'NOT_FOUND'],
	['POST /api/v1/system/verify', { table: 'absent' }, 'NOT_FOUND'],
	['POST /api/v1/tokens', { name: 'a', role: 'king' }, 'INVALID'],
	['POST /api/v1/tokens', { name: 'a', role: 'viewer', tables: ['a.b.c'] }, 'INVALID'],
	['POST /api/v1/tokens/absent/revoke', {}, 'NOT_FOUND'],
	['POST /api/cleanup/match', { table: 't', where, kind: 'match' }, 'INVALID'],
	['POST /api/cleanup/match', { table: 't' }, 'INVALID'],
	['POST /api/cleanup/match', { table: 'absent', where }, 'NOT_FOUND'],
	['POST /api/cleanup/match', { table: 't', where, dryRun: 'false' }, 'INVALID'],
	['POST /api/cleanup/duplicates', { table: 't', key: ['absent'], keep: 'oldest', by: 'id' }, 'INVALID'],
	['POST /api/cleanup/stale', { table: 't', column: 'at' }, 'INVALID'],
	[
		'POST /api/cleanup/orphans',
		{ table: 't', columns: ['id'], references: { table: 'absent', columns: ['id'] } },
		'NOT_FOUND',
	],
	['POST /api/cleanup/incomplete', { table: 't', missing: [] }, 'INVALID'],
]

test('each bad call is refused with its own code and changes nothing', async () => {
	await using database = await freshDatabase()
	await database.sql`create table public.t (id int primary key, at timestamptz)`
	await database.sql`insert into public.t select n from generate_series(1, 10) n`
	await using service = await startTestService(database, { capture: true })
	const before = await contentsOf(database.sql)
	for (const [call, body, code] of refused) {
		const [method = '', path = ''] = call.split(' ')
		const answer = await service.call(method, path, body)
		const about = `${call} ${JSON.stringify(body)?.slice(0, 100)}`
		expectRefusal(answer, code, about)
	}
	expect(await contentsOf(database.sql)).toEqual(before)
})

test('an unknown field is refused by every call that takes a body', async () => {
	await using database = await freshDatabase()
	await using service = await startTestService(database)
	const { body: document } = await service.call<{ paths: Record<string, Record<string, { requestBody?: object }>> }>(
		'GET',
		'/api/v1/openapi.json',
		undefined,
		{ key: null },
	)
	for (const [path, methods] of Object.entries(document.paths)) {
		for (const method of Object.keys(methods).filter((name) => name !== 'get')) {
			const answer = await service.call(method.toUpperCase(), path.replaceAll(/\{\w+\}/g, 'x'), { surprise: 1 })
			expect([path, problemOf(answer).code]).toEqual([path, 'INVALID'])
			expect(JSON.stringify(problemOf(answer).issues)).toContain('surprise')
		}
	}
})

test('a parameter that a call does not declare is refused by every call, one of its own fields too', async () => {
	await using database = await freshDatabase()
	await using service = await startTestService(database)
	const { body: document } = await service.call<{ paths: Record<string, object> }>('GET', '/api/v1/openapi.json')
	for (const [path, methods] of Object.entries(document.paths)) {
		for (const method of Object.keys(methods)) {
			for (const name of ['surprise', 'id', 'idempotencyKey']) {
				const address = `${path.replaceAll(/\{\w+\}/g, 'x')}?${name}=y`
				const answer = await service.call(method.toUpperCase(), address, method === 'get' ? undefined : {})
				const { code, issues } = problemOf(answer)
				const refusal = { path: name, message: 'is no parameter of this call' }
				expect([method, address, code, issues]).toEqual([method, address, 'INVALID', [refusal]])
			}
		}
	}
})

test('REST and tRPC give the same problem for the same call', async () => {
	await using database = await freshDatabase()
	await using service = await startTestService(database)
	const calls: [string, string, unknown][] = [
		['/api/v1/runs', 'runs.start', { planId: 'absent', reason: 'x' }],
		['/api/v1/runs', 'runs.start', { planId: 'absent', reason: 'x', batch: { rows: '5' } }],
		['/api/v1/plans', 'plans.create', { policy: { kind: 'match', table: 'absent', where: { and: [] } } }],
		['/api/cleanup/stale', 'cleanup.stale', { table: 't', column: 'at' }],
	]
	for (const [path, procedure, input] of calls) {
		const rest = problemOf(await service.call('POST', path, input))
		const { body } = await service.call<{ error: { data: object } }>('POST', `/trpc/v1/${procedure}`, input)
		expect(body.error.data).toMatchObject({ ...rest, requestId: expect.any(String) })
	}
})

function nested(depth: number): unknown {
	return depth === 1 ? where : { not: nested(depth - 1) }
}
