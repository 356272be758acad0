import { randomUUID } from 'node:crypto'
import type { ErrorCode, Plan } from '@reprieve/contracts'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { contentsOf } from './contents.ts'
import { expectRefusal } from './refusal.ts'
import { openYard, type Yard } from './yard.ts'

let yard: Yard
let ids: { plan: string; hash: string; run: string; restore: string; token: string }
beforeAll(async () => {
	yard = await openYard()
	const run = await yard.run(await yard.plan(1, 10))
	const restore = await yard.restore(run.id)
	const plan = await yard.plan(11, 20)
	const { body } = await yard.post<{ id: string }>('/api/v1/tokens', { name: 'somebody', role: 'admin' })
	ids = { plan: plan.id, hash: plan.hash, run: run.id, restore: restore.id, token: body.id }
})
afterAll(() => yard?.[Symbol.asyncDispose]())

/** Every call that names one thing by its id. */
const calls: [call: string, noun: 'plan' | 'run' | 'restore', body?: (id: string) => object][] = [
	['GET /api/v1/plans/{id}', 'plan'],
	['GET /api/v1/plans/{id}?wait=1', 'plan'],
	['GET /api/v1/plans/{id}/rows', 'plan'],
	['POST /api/v1/plans/{id}/approve', 'plan', () => ({ hash: ids.hash })],
	['POST /api/v1/plans/{id}/discard', 'plan'],
	['POST /api/v1/runs', 'plan', (planId) => ({ planId, reason: 'mine' })],
	['GET /api/v1/runs/{id}', 'run'],
	['GET /api/v1/runs/{id}?wait=1', 'run'],
	['GET /api/v1/runs/{id}/drifted', 'run'],
	['POST /api/v1/runs/{id}/pause', 'run'],
	['POST /api/v1/runs/{id}/resume', 'run'],
	['POST /api/v1/runs/{id}/cancel', 'run'],
	['GET /api/v1/restores/{id}', 'restore'],
	['GET /api/v1/restores/{id}/report', 'restore'],
	['POST /api/v1/restores/{id}/pause', 'restore'],
	['POST /api/v1/restores/{id}/resume', 'restore'],
	['POST /api/v1/restores/{id}/cancel', 'restore'],
	['POST /api/v1/restores/{id}/undo', 'restore'],
]

async function refused(call: string, id: string, body: unknown, code: ErrorCode, key?: string): Promise<void> {
	const [method = '', path = ''] = call.replace('{id}', encodeURIComponent(id)).split(' ')
	const answer = method === 'GET' ? await yard.get(path, key) : await yard.post(path, body, key)
	expectRefusal(answer, code, `${call} ${id}`)
	expect.soft([call, JSON.stringify(answer.body)]).toEqual([call, expect.not.stringMatching(/somebody|bootstrap/)])
}

test('a key without a grant on the table reads and does nothing with its plans, runs and restores', async () => {
	const key = await yard.keyFor('admin', ['secrets'])
	const before = await contentsOf(yard.database.sql)
	for (const [call, noun, body] of calls) await refused(call, ids[noun], body?.(ids[noun]) ?? {}, 'FORBIDDEN', key)
	const policy = { kind: 'match', table: 'customers', where: { and: [] } }
	await refused('POST /api/v1/plans', '', { policy }, 'FORBIDDEN', key)
	await refused('POST /api/cleanup/match', '', { table: 'customers', where: { and: [] } }, 'FORBIDDEN', key)
	await refused('POST /api/v1/archive/search', '', { table: 'customers' }, 'FORBIDDEN', key)
	await refused('POST /api/v1/restores/preview', '', { selection: { run: ids.run } }, 'FORBIDDEN', key)
	await refused('POST /api/v1/restores/preview', '', { selection: { table: 'customers' } }, 'FORBIDDEN', key)
	await refused('POST /api/v1/tables/protect', '', { tables: ['secrets', 'customers'] }, 'FORBIDDEN', key)
	await refused('POST /api/v1/tables/unprotect', '', { tables: ['customers'] }, 'FORBIDDEN', key)
	await refused('POST /api/v1/system/verify', '', { table: 'customers' }, 'FORBIDDEN', key)
	await refused('GET /api/v1/tables/customers', '', undefined, 'FORBIDDEN', key)
	expect(await contentsOf(yard.database.sql)).toEqual(before)
	const refusals = await yard.database.sql<{ n: number }[]>`
		select count(*)::int as n from reprieve.audit where outcome = 'FORBIDDEN'`
	expect(refusals[0]?.n).toBeGreaterThanOrEqual(calls.length + 9)
})

test('lists show a key the things of its own tables alone', async () => {
	const key = await yard.keyFor('viewer', ['secrets'])
	for (const noun of ['plans', 'runs', 'restores']) {
		expect([noun, (await yard.get<{ items: unknown[] }>(`/api/v1/${noun}`, key)).body.items]).toEqual([noun, []])
		expect((await yard.get<{ items: unknown[] }>(`/api/v1/${noun}`)).body.items).not.toEqual([])
	}
	const changes = await yard.post<{ items: unknown[] }>('/api/v1/archive/search', { run: ids.run }, key)
	expect(changes.body.items).toEqual([])
})

test('ids of another kind, of nothing, and what is no id are NOT_FOUND', async () => {
	const before = await contentsOf(yard.database.sql)
	for (const [call, noun, body] of calls) {
		const others = Object.entries(ids).filter(([name]) => name !== noun && name !== 'hash')
		for (const id of [
			...others.map(([, other]) => other),
			randomUUID(),
			'0',
			"' or 1=1 --",
			'../plans',
			'__proto__',
			'%',
		]) {
			await refused(call, id, body?.(id) ?? {}, 'NOT_FOUND')
		}
	}
	for (const id of [ids.plan, ids.run, ids.restore, randomUUID(), '*']) {
		await refused('POST /api/v1/tokens/{id}/revoke', id, {}, 'NOT_FOUND')
	}
	expect(await contentsOf(yard.database.sql)).toEqual(before)
})

test('a selection of what is not there is refused or empty, and never another', async () => {
	const before = await contentsOf(yard.database.sql)
	for (const run of [ids.plan, ids.restore, randomUUID(), "' or 1=1 --"]) {
		const { status, body } = await yard.post('/api/v1/restores/preview', { selection: { run } })
		expect([run, status, (body as { tables?: unknown[] }).tables ?? (body as { code: string }).code]).toEqual([
			run,
			expect.any(Number),
			status === 200 ? [] : 'NOT_FOUND',
		])
	}
	expect(await contentsOf(yard.database.sql)).toEqual(before)
})

test('a key that is revoked in the middle of its call ends with it, and is refused from then on', async () => {
	const { body: token } = await yard.post<{ id: string; secret: string }>('/api/v1/tokens', {
		name: 'short',
		role: 'viewer',
	})
	await yard.database.sql`update reprieve.plans set status = 'planning', created_at = now() where id = ${ids.plan}`
	const waiting = yard.get<Plan>(`/api/v1/plans/${ids.plan}?wait=30`, token.secret)
	expect((await yard.post(`/api/v1/tokens/${token.id}/revoke`)).status).toBe(200)
	expectRefusal(await yard.get('/api/v1/plans', token.secret), 'UNAUTHENTICATED', 'revoked')
	expectRefusal(
		await yard.post('/api/v1/runs', { planId: ids.plan, reason: 'x' }, token.secret),
		'UNAUTHENTICATED',
		'run',
	)
	await yard.database.sql`update reprieve.plans set status = 'ready' where id = ${ids.plan}`
	expect((await waiting).status).toBeOneOf([200, 401])
})
