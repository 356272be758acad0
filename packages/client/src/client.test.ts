import { expect, test } from 'vitest'
import { createClient } from './client.ts'

type Sent = { url: string; method: string | undefined; authorization: string | null; body: Record<string, unknown> }
type Answer = { status: number; body: unknown } | Error

/** A client whose calls get these answers in turn, and what it sent. */
function clientOf(...answers: Answer[]) {
	const sent: Sent[] = []
	const fetch: typeof globalThis.fetch = async (url, init) => {
		sent.push({
			url: String(url),
			method: init?.method,
			authorization: new Headers(init?.headers).get('authorization'),
			body: JSON.parse(String(init?.body ?? '{}')),
		})
		const answer = answers.shift()
		if (!answer) throw new TypeError('no answer left')
		if (answer instanceof Error) throw answer
		return new Response(JSON.stringify(answer.body), {
			status: answer.status,
			headers: { 'content-type': 'application/json' },
		})
	}
	return { client: createClient({ url: 'http://service/', token: async () => 'secret', fetch }), sent }
}

const refusal = (code: string, fields: object = {}) => ({
	status: 409,
	body: { error: { message: 'no', code: -32600, data: { code, detail: 'told', retryable: false, ...fields } } },
})
const result = (data: unknown) => ({ status: 200, body: { result: { data } } })

test('a mutation is repeated under one idempotency key until it is answered', async () => {
	const lost = new TypeError('fetch failed')
	const { client, sent } = clientOf(
		lost,
		refusal('CONFLICT', { retryable: true }),
		result({ id: 'r1', status: 'pausing' }),
	)
	expect(await client.runs.pause('r1')).toMatchObject({ status: 'pausing' })
	expect(sent).toHaveLength(3)
	expect(sent[0]).toMatchObject({ url: 'http://service/trpc/v1/runs.pause', authorization: 'Bearer secret' })
	expect(sent[0]?.body.idempotencyKey).toMatch(/^[0-9a-f]{32}$/)
	expect(new Set(sent.map(({ body }) => body.idempotencyKey)).size).toBe(1)
})

test('a refusal that cannot pass is not repeated and keeps what the service said', async () => {
	const { client, sent } = clientOf(refusal('APPROVAL_REQUIRED', { hint: 'ask', planId: 'p1' }))
	await expect(client.runs.start({ planId: 'p1', reason: 'x' })).rejects.toMatchObject({
		name: 'ReprieveError',
		code: 'APPROVAL_REQUIRED',
		message: 'told',
		hint: 'ask',
		planId: 'p1',
	})
	expect(sent).toHaveLength(1)
})

test('a code of a newer release is INTERNAL', async () => {
	const { client } = clientOf(refusal('MOON_PHASE'))
	await expect(client.plans.discard('p1')).rejects.toMatchObject({ code: 'INTERNAL', message: 'told' })
})

test('a barrier carries no idempotency key: its input has none', async () => {
	const { client, sent } = clientOf(result({ position: '1-0', waitedMs: 1 }))
	await client.archive.barrier({ timeoutMs: 500 })
	expect(sent[0]?.body).toEqual({ timeoutMs: 500 })
})

test('a call that reads whole selections has more time', async () => {
	const fetch: typeof globalThis.fetch = (_, init) =>
		new Promise((_, reject) => init?.signal?.addEventListener('abort', () => reject(init.signal?.reason)))
	const client = createClient({ url: 'http://service/', apiKey: 'secret', fetch, timeoutMs: 100, retries: 0 })
	const ended: string[] = []
	const refused = async (name: string, call: Promise<unknown>) => {
		await expect(call).rejects.toMatchObject({ code: 'UNAVAILABLE', message: /the time is up/ })
		ended.push(name)
	}
	await Promise.all([
		refused('preview', client.restores.preview({ selection: { run: 'r' } })),
		refused('pause', client.runs.pause('r')),
	])
	expect(ended).toEqual(['pause', 'preview'])
})

test('changes are read page after page', async () => {
	const { client, sent } = clientOf(
		{ status: 200, body: [{ result: { data: { items: [{ id: 'a' }], next: 'n' } } }] },
		{ status: 200, body: [{ result: { data: { items: [{ id: 'b' }] } } }] },
	)
	const ids: string[] = []
	for await (const change of client.archive.changes({ table: 't' })) ids.push(change.id)
	expect(ids).toEqual(['a', 'b'])
	expect(sent.map(({ method, body }) => [method, body['0']])).toEqual([
		['POST', { table: 't' }],
		['POST', { table: 't', cursor: 'n' }],
	])
})

test('a failed run is thrown as its failure', async () => {
	const failure = { code: 'NOT_RESTORABLE', message: 'the gate closed' }
	const { client } = clientOf(result({ id: 'r1', status: 'queued' }), result({ id: 'r1', status: 'failed', failure }))
	const run = await client.runs.start({ planId: 'p1', reason: 'x' })
	await expect(run.finished()).rejects.toMatchObject({ code: 'NOT_RESTORABLE', message: 'the gate closed' })
})

test('a one-call form takes a policy with its kind and answers with the run', async () => {
	const { client, sent } = clientOf(result({ id: 'r1', planId: 'p1', status: 'queued' }))
	const run = await client.cleanup.stale({ kind: 'stale', table: 't', column: 'c', olderThan: 'P1D' })
	expect(run.id).toBe('r1')
	expect(sent[0]?.body).not.toHaveProperty('kind')
})
