import type { ErrorCode, Plan, Preview, Restore, Run } from '@reprieve/contracts'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { until } from '../support/wait.ts'
import { type Answer, problemOf } from '../surfaces/support.ts'
import { contentsOf } from './contents.ts'
import { expectRefusal } from './refusal.ts'
import { openYard, type Yard } from './yard.ts'

let yard: Yard
beforeAll(async () => {
	yard = await openYard()
})
afterAll(() => yard?.[Symbol.asyncDispose]())

const start = (plan: { id: string }, key?: string, idempotency?: string) =>
	yard.post<Run>('/api/v1/runs', { planId: plan.id, reason: 'test' }, key, idempotency)
const approve = (plan: Plan, key?: string) =>
	yard.post<Plan>(`/api/v1/plans/${plan.id}/approve`, { hash: plan.hash }, key)
const discard = (plan: Plan) => yard.post<Plan>(`/api/v1/plans/${plan.id}/discard`)

/** Waits until every run and restore has ended. */
async function settled(): Promise<void> {
	await until(
		async () => {
			const open = await yard.database.sql`
			select id from reprieve.runs where status not in ('succeeded', 'failed', 'cancelled')
			union all select id from reprieve.restores where status not in ('succeeded', 'failed', 'cancelled')`
			return open.length === 0
		},
		'every job to end',
		60_000,
	)
	// A restore ends before the receipt of what it wrote is in.
	expect((await yard.post('/api/v1/archive/barrier', { timeoutMs: 60_000 })).status).toBe(200)
}

async function refused(answer: () => Promise<Answer>, code: ErrorCode, about: string): Promise<void> {
	await settled()
	const before = await contentsOf(yard.database.sql)
	expectRefusal(await answer(), code, about)
	expect([about, await contentsOf(yard.database.sql)]).toEqual([about, before])
}

/** What somebody may do to a plan behind its back, as SQL over the plan's id and the table of its rows. */
const edits: [what: string, sql: (id: string, rows: string) => string][] = [
	['its hash', (id) => `update reprieve.plans set hash = repeat('0', 64) where id = '${id}'`],
	[
		'its policy',
		(id) => `update reprieve.plans set policy = jsonb_set(policy, '{where}', '{"and": []}') where id = '${id}'`,
	],
	['its count of rows', (id) => `update reprieve.plans set rows = rows + 1 where id = '${id}'`],
	[
		'its dependents',
		(id) =>
			`update reprieve.plans set dependents = '[{"table": "secrets", "action": "delete", "rows": 1}]' where id = '${id}'`,
	],
	['its digest of rows', (id) => `update reprieve.plans set rows_hash = repeat('0', 64) where id = '${id}'`],
	[
		'its table',
		(id) =>
			`update reprieve.plans set body = jsonb_set(body, '{tables,0,oid}', to_jsonb('public.secrets'::regclass::oid::int8)) where id = '${id}'`,
	],
	[
		'another leaf of its rows',
		(id) =>
			`update reprieve.plans set body = jsonb_set(body, '{tables,0,packed,leaf}', to_jsonb('public.secrets'::regclass::oid::int8)) where id = '${id}'`,
	],
	[
		'one row more',
		(_, rows) =>
			`insert into reprieve.${rows} select (jsonb_populate_record(r, jsonb_build_object('first', 999))).* from reprieve.${rows} r limit 1`,
	],
	['one row less', (_, rows) => `delete from reprieve.${rows} where ctid = (select min(ctid) from reprieve.${rows})`],
	[
		'another row',
		(_, rows) => `update reprieve.${rows} set k1[1] = 500 where ctid = (select min(ctid) from reprieve.${rows})`,
	],
	['no rows', (_, rows) => `truncate reprieve.${rows}`],
	['no table of rows', (_, rows) => `drop table reprieve.${rows}`],
]

test.each(edits)('a plan that was given %s by hand is not run', async (what, edit) => {
	const plan = await yard.plan(900, 905)
	const [row] = await yard.database.sql<{ rows: string }[]>`
		select body->'tables'->0->>'rowsTable' as rows from reprieve.plans where id = ${plan.id}`
	await yard.database.sql.unsafe(edit(plan.id, row?.rows ?? ''))
	await refused(() => start(plan), 'PLAN_DRIFTED', what)
	await discard(plan)
})

test('an expired, a discarded and a used plan are refused by name', async () => {
	const [expired, discarded, used] = [await yard.plan(1, 2), await yard.plan(3, 4), await yard.plan(5, 6)]
	await yard.database.sql`update reprieve.plans set expires_at = now() - interval '1 second' where id = ${expired.id}`
	await discard(discarded)
	await yard.run(used)
	await refused(() => start(expired), 'PLAN_EXPIRED', 'run expired')
	await refused(() => approve(expired), 'PLAN_EXPIRED', 'approve expired')
	await refused(() => start(discarded), 'CONFLICT', 'run discarded')
	await refused(() => approve(discarded), 'CONFLICT', 'approve discarded')
	await refused(() => start(used), 'CONFLICT', 'run used')
	await refused(() => approve(used), 'CONFLICT', 'approve used')
	await refused(() => discard(used), 'CONFLICT', 'discard used')
	const ready = await yard.plan(7, 8)
	await refused(() => yard.post(`/api/v1/plans/${ready.id}/approve`, { hash: 'x' }), 'PLAN_DRIFTED', 'another hash')
	await refused(
		() => yard.post(`/api/v1/plans/${ready.id}/approve`, { hash: used.hash }),
		'PLAN_DRIFTED',
		'hash of another',
	)
	await discard(ready)
})

test('a plan of a lineage that was left is not run', async () => {
	const plan = await yard.plan(10, 12)
	await yard.database.sql`update reprieve.plans set lineage = 'another' where id = ${plan.id}`
	await refused(() => start(plan), 'PLAN_DRIFTED', 'lineage')
	await discard(plan)
})

test('one key and one body get one run, another body a mismatch, another principal a refusal', async () => {
	const plan = await yard.plan(20, 24)
	const other = await yard.keyFor('operator')
	const answers = await Promise.all([1, 2, 3].map(() => start(plan, undefined, 'once')))
	const runs = answers.filter((answer) => answer.status === 202)
	expect(new Set(runs.map((answer) => answer.body.id)).size).toBe(1)
	for (const answer of answers.filter(({ status }) => status !== 202)) {
		expect(problemOf(answer as Answer)).toMatchObject({ code: 'CONFLICT', retryable: true })
	}
	const again = await start(plan, undefined, 'once')
	expect([again.status, again.body.id]).toEqual([202, runs[0]?.body.id])
	const third = await yard.plan(25, 26)
	await refused(() => start(third, undefined, 'once'), 'IDEMPOTENCY_MISMATCH', 'another body')
	await refused(() => start(plan, other, 'once'), 'CONFLICT', 'another principal')
	expect((await start(plan, undefined, 'once')).body.id).toBe(runs[0]?.body.id)
	await settled()
	expect(await yard.database.sql`select id from reprieve.runs where plan_id = ${plan.id}`).toHaveLength(1)
	await discard(third)
})

/** Statuses of two answers, the smaller one first. */
async function together(...calls: (() => Promise<Answer<never>>)[]): Promise<[number, Answer<never>[]]> {
	const answers = await Promise.all(calls.map((call) => call()))
	const done = answers.filter((answer) => answer.status < 300)
	for (const answer of answers.filter((one) => !done.includes(one))) {
		expectRefusal(answer as Answer, 'CONFLICT', JSON.stringify(answer.body))
	}
	return [done.length, answers]
}

test('of two runs of one plan at once, and of a run and a discard, one happens', async () => {
	for (let round = 0; round < 5; round++) {
		const plan = await yard.plan(100 + round * 10, 105 + round * 10)
		const [runs] = await together(
			() => start(plan) as never,
			() => start(plan) as never,
		)
		expect(runs).toBe(1)
		await settled()
		const other = await yard.plan(200 + round * 10, 205 + round * 10)
		const [happened] = await together(
			() => start(other) as never,
			() => discard(other) as never,
		)
		expect(happened).toBe(1)
		await settled()
		const [row] = await yard.database.sql<{ status: string; left: number }[]>`
			select status, (select count(*)::int from public.customers
				where id between ${200 + round * 10} and ${205 + round * 10}) as left from reprieve.plans where id = ${other.id}`
		expect(row).toEqual(row?.status === 'used' ? { status: 'used', left: 0 } : { status: 'discarded', left: 6 })
	}
})

test('two approvals at once are both on record, and the plan has one run', async () => {
	const plan = await yard.plan(300, 305)
	const keys = [await yard.keyFor('approver'), await yard.keyFor('approver')]
	const answers = await Promise.all(keys.map((key) => approve(plan, key)))
	expect(answers.map((answer) => answer.status)).toEqual([200, 200])
	expect((await yard.get<Plan>(`/api/v1/plans/${plan.id}`)).body).toMatchObject({
		status: 'approved',
		approvals: [{}, {}],
	})
	expect(await yard.run(plan)).toMatchObject({ status: 'succeeded', deleted: 6 })
})

test('unprotect and protect during a run leave no delete without its archive', async () => {
	const plan = await yard.plan(400, 600)
	const batch = { rows: 5 }
	const { body: run } = await yard.post<Run>('/api/v1/runs', { planId: plan.id, reason: 'test', batch })
	await yard.post('/api/v1/tables/unprotect', { tables: ['customers'] })
	const ended = (await yard.get<Run>(`/api/v1/runs/${run.id}?wait=60`)).body
	await yard.post('/api/v1/tables/protect?wait=60', { tables: ['customers'] })
	await settled()
	expect(ended.status).toBeOneOf(['succeeded', 'failed'])
	if (ended.status === 'failed') expect(ended.failure?.code).toBe('NOT_RESTORABLE')
	const [gone] = await yard.database.sql<{ n: number }[]>`
		select 201 - count(*)::int as n from public.customers where id between 400 and 600`
	await yard.post('/api/v1/archive/barrier', {})
	const { body } = await yard.post<{ items: unknown[] }>('/api/v1/archive/search', { run: run.id, limit: 1000 })
	expect(body.items).toHaveLength(gone?.n ?? -1)
	expect(ended.deleted).toBe(gone?.n)
})

test('protecting again during a run changes nothing about it', async () => {
	const plan = await yard.plan(610, 690)
	const { body: run } = await yard.post<Run>('/api/v1/runs', { planId: plan.id, reason: 'test', batch: { rows: 5 } })
	const { body } = await yard.post<{ tables: { restorability: { status: string } }[] }>('/api/v1/tables/protect', {
		tables: ['customers'],
	})
	expect(body.tables[0]?.restorability.status).toBe('ready')
	expect((await yard.get<Run>(`/api/v1/runs/${run.id}?wait=60`)).body).toMatchObject({
		status: 'succeeded',
		archived: 81,
	})
})

test('of two restores of one run at once each row comes back once, and a later hash is refused', async () => {
	const run = await yard.run(await yard.plan(700, 719))
	const selection = { run: run.id }
	const { body: preview } = await yard.post<Preview>('/api/v1/restores/preview', { selection })
	const restore = () => yard.post<Restore>('/api/v1/restores', { selection, hash: preview.hash, reason: 'back' })
	const answers = await Promise.all([restore(), restore()])
	for (const answer of answers.filter(({ status }) => status !== 202))
		expectRefusal(answer as Answer, 'CONFLICT', 'restore')
	await settled()
	const ended = await Promise.all(
		answers.filter(({ status }) => status === 202).map(({ body }) => yard.get<Restore>(`/api/v1/restores/${body.id}`)),
	)
	expect(ended.reduce((sum, { body }) => sum + body.restored, 0)).toBe(20)
	const [row] = await yard.database.sql`
		select count(*)::int as n, bool_and(name = 'customer ' || id) as same from public.customers where id between 700 and 719`
	expect(row).toEqual({ n: 20, same: true })
	const first = preview.hash.startsWith('0') ? '1' : '0'
	const changed = { selection, hash: `${first}${preview.hash.slice(1)}`, reason: 'back' }
	await refused(() => yard.post('/api/v1/restores', changed), 'CONFLICT', 'another hash')
	await refused(() => yard.post('/api/v1/restores', { ...changed, hash: 'x' }), 'INVALID', 'no hash')
})

test('a cancel that meets the end is refused or taken, and the run is whole either way', async () => {
	for (let round = 0; round < 4; round++) {
		const from = 800 + round * 20
		const { body: run } = await start(await yard.plan(from, from + 9))
		await until(async () => (await yard.get<Run>(`/api/v1/runs/${run.id}`)).body.deleted === 10, 'the delete')
		const cancelled = await yard.post<Run>(`/api/v1/runs/${run.id}/cancel`)
		if (cancelled.status !== 200) expectRefusal(cancelled as Answer, 'CONFLICT', 'cancel')
		const ended = (await yard.get<Run>(`/api/v1/runs/${run.id}?wait=60`)).body
		expect(ended.status).toBeOneOf(['succeeded', 'cancelled'])
		await until(
			async () => (await yard.get<Run>(`/api/v1/runs/${run.id}`)).body.archived === 10,
			'the receipts',
			60_000,
		)
	}
})

test('every refusal of a change is in the audit with its code', async () => {
	const { sql } = yard.database
	for (const [act, code] of [
		['runs.start', 'PLAN_DRIFTED'],
		['runs.start', 'PLAN_EXPIRED'],
		['runs.start', 'CONFLICT'],
		['runs.start', 'IDEMPOTENCY_MISMATCH'],
		['plans.approve', 'PLAN_DRIFTED'],
		['plans.discard', 'CONFLICT'],
		['restores.start', 'CONFLICT'],
	]) {
		const found =
			await sql`select from reprieve.audit where act = ${act as string} and outcome = ${code as string} limit 1`
		expect([act, code, found.length]).toEqual([act, code, 1])
	}
})

test('the audit shortens what it keeps between two characters', async () => {
	const kind = `${'x'.repeat(99)}😀`
	expectRefusal(await yard.post('/api/v1/plans', { policy: { kind } }), 'INVALID', 'an emoji at the cut')
	expectRefusal(
		await yard.post('/api/v1/plans', { policy: { kind: 'match', table: `${'x'.repeat(999)}😀` } }),
		'INVALID',
		'another',
	)
	expect((await yard.get('/api/v1/audit/verify')).body).toMatchObject({ intact: true })
})
