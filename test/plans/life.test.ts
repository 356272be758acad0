import { apiKeys, plans } from '@reprieve/control'
import type { Principal } from '@reprieve/service'
import { eq } from 'drizzle-orm'
import { expect, test } from 'vitest'
import { approvePlan } from '../../apps/service/src/plans/approve.ts'
import { createPlan } from '../../apps/service/src/plans/create.ts'
import { discardPlan } from '../../apps/service/src/plans/discard.ts'
import { evaluatePolicy } from '../../apps/service/src/plans/evaluate/evaluate.ts'
import { getPlan } from '../../apps/service/src/plans/get.ts'
import { listPlans } from '../../apps/service/src/plans/list.ts'
import { listPlanRows } from '../../apps/service/src/plans/rows.ts'
import { sweepPlans } from '../../apps/service/src/plans/sweep.ts'
import { checkPlan } from '../../apps/service/src/plans/verify.ts'
import { getPolicy } from '../../apps/service/src/policies/get.ts'
import { listPolicies } from '../../apps/service/src/policies/list.ts'
import { putPolicy } from '../../apps/service/src/policies/put.ts'
import { admin } from '../support/services.ts'
import { until } from '../support/wait.ts'
import { bodyOf, type Ground, openGround, plan } from './support.ts'

const all = { kind: 'match' as const, table: 't', where: { and: [] } }

async function fill(ground: Ground): Promise<void> {
	await ground.database.sql`create table public.t (id int primary key, g int)`
	await ground.database.sql`insert into public.t select i, i % 2 from generate_series(1, 6) i`
}

async function rowsTables(ground: Ground): Promise<number> {
	const rows = await ground.database
		.sql`select from pg_tables where schemaname = 'reprieve' and tablename like 'plan\\_%'`
	return rows.length
}

async function key(ground: Ground, id: string, createdBy: string): Promise<Principal> {
	await ground.services.control.db
		.insert(apiKeys)
		.values({ id, name: id, role: 'admin', hash: id, createdBy, createdAt: new Date().toISOString() })
	return { id, name: id, role: 'admin', chain: createdBy === 'jwt' ? [id] : [id, createdBy] }
}

test('a plan above the threshold needs somebody whose key does not meet the author’s', async () => {
	await using ground = await openGround({ limits: { approvalRows: 5 } })
	await fill(ground)
	const author = await key(ground, 'author', 'jwt')
	const heir = await key(ground, 'heir', 'author')
	const other = await key(ground, 'other', 'jwt')
	const made = await createPlan(ground.services, author, { policy: all })
	expect(made.status).toBe('awaitingApproval')
	const approve = (principal: Principal, hash = made.hash) =>
		approvePlan(ground.services, principal, { id: made.id, hash })
	await expect(approve(author)).rejects.toMatchObject({ code: 'SELF_APPROVAL' })
	await expect(approve(heir)).rejects.toMatchObject({ code: 'SELF_APPROVAL' })
	await expect(approve(other, 'another')).rejects.toMatchObject({ code: 'PLAN_DRIFTED' })
	expect(await approve(other)).toMatchObject({ status: 'approved', approvals: [{ principal: 'other' }] })
	expect(await approve(other)).toMatchObject({ status: 'approved', approvals: [{ principal: 'other' }] })
})

test('a plan expires, is swept, and its rows go', async () => {
	let now = new Date('2030-01-01T00:00:00Z')
	await using ground = await openGround({ clock: { now: () => now }, limits: { planMinutes: 10 } })
	await fill(ground)
	const made = await plan(ground.services, all)
	expect(made.expiresAt).toBe('2030-01-01T00:10:00.000000Z')
	now = new Date('2030-01-01T00:10:00Z')
	expect(await getPlan(ground.services, admin, { id: made.id })).toMatchObject({ status: 'expired' })
	expect(await listPlans(ground.services, admin, { status: 'ready' })).toEqual({ items: [] })
	expect((await listPlans(ground.services, admin, { status: 'expired' })).items).toHaveLength(1)
	await expect(approvePlan(ground.services, admin, { id: made.id, hash: made.hash })).rejects.toMatchObject({
		code: 'PLAN_EXPIRED',
	})
	expect(await rowsTables(ground)).toBe(1)
	expect(await sweepPlans(ground.services)).toEqual({ expired: 1, abandoned: 0, dropped: 1 })
	expect(await sweepPlans(ground.services)).toEqual({ expired: 0, abandoned: 0, dropped: 0 })
	expect(await rowsTables(ground)).toBe(0)
})

test('a discarded plan loses its rows and cannot be approved', async () => {
	await using ground = await openGround()
	await fill(ground)
	const made = await plan(ground.services, all)
	expect(await discardPlan(ground.services, admin, { id: made.id })).toMatchObject({ status: 'discarded' })
	expect(await rowsTables(ground)).toBe(0)
	await expect(approvePlan(ground.services, admin, { id: made.id, hash: made.hash })).rejects.toMatchObject({
		code: 'CONFLICT',
	})
	await expect(discardPlan(ground.services, admin, { id: 'nope' })).rejects.toMatchObject({ code: 'NOT_FOUND' })
})

test('rows that were edited, added or dropped are noticed', async () => {
	await using ground = await openGround()
	await fill(ground)
	const edits = [
		(name: string) => `update reprieve.${name} set k1[3] = 99`,
		(name: string) => `update reprieve.${name} set version[3] = '1'`,
		(name: string) => `insert into reprieve.${name} select 7, k1, version from reprieve.${name} limit 1`,
		(name: string) => `delete from reprieve.${name} where first = 1`,
		(name: string) => `drop table reprieve.${name}`,
	]
	for (const edit of edits) {
		const made = await plan(ground.services, all)
		await checkPlan(ground.services, made.id)
		await ground.database.sql.unsafe(edit((await bodyOf(ground.services, made.id)).tables[0]?.rowsTable ?? ''))
		await expect(checkPlan(ground.services, made.id)).rejects.toMatchObject({ code: 'PLAN_DRIFTED' })
	}
})

test('newest and oldest of one table cannot both be planned, in either order', async () => {
	await using ground = await openGround()
	await fill(ground)
	const keep = (direction: 'asc' | 'desc') => ({
		kind: 'duplicates' as const,
		table: 't',
		key: ['g'],
		keep: { orderBy: [{ column: 'id', direction }] },
	})
	for (const [first, second] of [
		[keep('asc'), keep('desc')],
		[all, keep('asc')],
		[keep('asc'), all],
	] as const) {
		const open = await plan(ground.services, first)
		const count = await rowsTables(ground)
		await expect(plan(ground.services, second)).rejects.toMatchObject({
			code: 'CONFLICT',
			message: expect.stringContaining(open.id),
		})
		expect(await rowsTables(ground)).toBe(count)
		await discardPlan(ground.services, admin, { id: open.id })
		await discardPlan(ground.services, admin, { id: (await plan(ground.services, second)).id })
	}
	const [one, two] = await Promise.allSettled([plan(ground.services, keep('asc')), plan(ground.services, keep('desc'))])
	expect([one.status, two.status].sort()).toEqual(['fulfilled', 'rejected'])
})

test('a plan is one snapshot: what changes while it is made does not come in', async () => {
	await using ground = await openGround()
	await fill(ground)
	const { sql } = ground.database
	await sql`create table public.c (id int primary key, t int references public.t on delete cascade)`
	await sql`insert into public.c values (1, 1), (2, 2)`
	await ground.services.pools.plan.begin('isolation level repeatable read', async (tx) => {
		const before = await tx`select id, xmin::text as version from public.t where g = 1 order by id`
		await sql`update public.t set g = 1 - g`
		await sql`update public.c set t = 3 where id = 2`
		await sql`insert into public.t values (7, 1)`
		const where = { column: 'g', op: 'eq', value: 1 } as const
		const made = await evaluatePolicy(tx, { kind: 'match', table: 't', where }, { prefix: 'plan_snapshot', limit: 100 })
		expect(made).toMatchObject({ rows: 3, dependents: [{ table: 'c', rows: 1 }] })
		expect(await tx`select k1 as id, version::text as version from reprieve.plan_snapshot_0 order by unit`).toEqual(
			before,
		)
	})
})

test('a plan is refused for its own reason and leaves nothing, though it cannot be removed at first', async () => {
	await using ground = await openGround({ limits: { planRows: 5 } })
	await fill(ground)
	const { sql } = ground.database
	await sql.unsafe(`create sequence public.tries; create function public.refuse() returns trigger language plpgsql as
		'begin if nextval(''public.tries'') < 3 then raise exception ''not now''; end if; return old; end';
		create trigger refuse before delete on reprieve.plans for each row execute function public.refuse()`)
	await expect(plan(ground.services, all)).rejects.toMatchObject({ code: 'LIMIT_EXCEEDED' })
	expect(await sql`select from reprieve.plans`).toHaveLength(0)
})

test('a plan of more rows than allowed is refused with both numbers and leaves nothing', async () => {
	await using ground = await openGround({ limits: { planRows: 5 } })
	await fill(ground)
	await expect(plan(ground.services, all)).rejects.toMatchObject({
		code: 'LIMIT_EXCEEDED',
		message: expect.stringMatching(/6.*5/),
	})
	await ground.database.sql`create table public.c (id int primary key, t int references public.t on delete cascade)`
	await ground.database.sql`insert into public.c select i, 1 from generate_series(1, 5) i`
	await expect(plan(ground.services, { ...all, where: { column: 'id', op: 'eq', value: 1 } })).rejects.toMatchObject({
		code: 'LIMIT_EXCEEDED',
	})
	expect(await rowsTables(ground)).toBe(0)
	expect(await ground.database.sql`select from reprieve.plans`).toHaveLength(0)
})

test('a key bound to tables plans those alone, dependents included', async () => {
	await using ground = await openGround()
	await fill(ground)
	await ground.database.sql`create table public.c (id int primary key, t int references public.t on delete cascade)`
	const bound = (...tables: string[]): Principal => ({ ...admin, id: 'bound', tables })
	const attempt = (principal: Principal) => createPlan(ground.services, principal, { policy: all })
	await expect(attempt(bound('c'))).rejects.toMatchObject({ code: 'FORBIDDEN' })
	await discardPlan(ground.services, admin, { id: (await attempt(bound('t'))).id })
	await ground.database.sql`insert into public.c values (1, 1)`
	await expect(attempt(bound('t'))).rejects.toMatchObject({ code: 'FORBIDDEN' })
	const made = await attempt(bound('t', 'c'))
	await expect(getPlan(ground.services, bound('t'), { id: made.id })).rejects.toMatchObject({ code: 'FORBIDDEN' })
	for (const tables of [['c'], ['t']]) {
		expect((await listPlans(ground.services, bound(...tables), {})).items.map(({ id }) => id)).not.toContain(made.id)
	}
	expect((await listPlans(ground.services, bound('t', 'c'), {})).items[0]?.id).toBe(made.id)
})

test('what takes long is answered as planning and goes on; what fails then is kept as data', async () => {
	await using ground = await openGround()
	await fill(ground)
	const create = (policy: object) =>
		createPlan(ground.services, admin, { policy: policy as never }, { answerWithinMs: 0 })
	const made = await create(all)
	expect(made.status).toBe('planning')
	expect(await getPlan(ground.services, admin, { id: made.id, wait: 30 })).toMatchObject({ status: 'ready', rows: 6 })
	const bad = await create({ kind: 'stale', table: 't', column: 'id', olderThan: 'P1D' }).catch((error) => error)
	expect(bad).toMatchObject({ code: 'INVALID' })
	const crossing = await create({
		kind: 'duplicates',
		table: 't',
		key: ['g'],
		keep: { orderBy: [{ column: 'id', direction: 'asc', nulls: 'last' }] },
	})
	expect(await getPlan(ground.services, admin, { id: crossing.id, wait: 30 })).toMatchObject({
		status: 'failed',
		failure: { code: 'CONFLICT' },
	})
	await until(async () => (await rowsTables(ground)) === 1, 'the rows of the failed plan to go')
})

test('a plan whose process ended is failed by the sweep, one that is being made is not', async () => {
	await using ground = await openGround()
	await fill(ground)
	const made = await plan(ground.services, all)
	const { db } = ground.services.control
	await db.update(plans).set({ status: 'planning', createdAt: '2020-01-01T00:00:00Z' }).where(eq(plans.id, made.id))
	await ground.database.sql.begin(async (tx) => {
		await tx`select pg_advisory_xact_lock(hashtext('reprieve.plan'), hashtext(${made.id}))`
		expect(await sweepPlans(ground.services)).toMatchObject({ abandoned: 0, dropped: 0 })
	})
	expect(await sweepPlans(ground.services)).toMatchObject({ abandoned: 1, dropped: 1 })
	expect(await getPlan(ground.services, admin, { id: made.id })).toMatchObject({ status: 'failed' })
})

test('rows are paged over all tables of a plan, and a foreign cursor is refused', async () => {
	await using ground = await openGround()
	await fill(ground)
	await ground.database.sql`create table public.c (id int primary key, t int references public.t on delete cascade)`
	await ground.database.sql`insert into public.c select i, 1 + i % 3 from generate_series(1, 7) i`
	const made = await plan(ground.services, all)
	const whole = (await listPlanRows(ground.services, admin, { id: made.id })).items
	for (const limit of [1, 3, 6, 13]) {
		const paged = []
		let cursor: string | undefined
		do {
			const page = await listPlanRows(ground.services, admin, { id: made.id, limit, cursor })
			paged.push(...page.items)
			cursor = page.next
		} while (cursor)
		expect(paged, `pages of ${limit}`).toEqual(whole)
	}
	expect(whole).toHaveLength(13)
	await expect(listPlanRows(ground.services, admin, { id: made.id, cursor: "0'" })).rejects.toMatchObject({
		code: 'INVALID',
	})
	await discardPlan(ground.services, admin, { id: made.id })
	await expect(listPlanRows(ground.services, admin, { id: made.id })).rejects.toMatchObject({ code: 'PLAN_EXPIRED' })
})

test('a named policy is versioned by its content and planned by name', async () => {
	await using ground = await openGround()
	await fill(ground)
	const put = (value: number) =>
		putPolicy(ground.services, admin, {
			name: 'ones',
			policy: { kind: 'match', table: 't', where: { column: 'g', op: 'eq', value } },
		})
	expect(await put(0)).toMatchObject({ version: 1 })
	expect(await put(0)).toMatchObject({ version: 1 })
	expect(await put(1)).toMatchObject({ version: 2 })
	await expect(
		putPolicy(ground.services, admin, { name: 'bad', policy: { ...all, where: { column: 'zz', op: 'isNull' } } }),
	).rejects.toMatchObject({ code: 'INVALID' })
	expect(await getPolicy(ground.services, admin, { name: 'ones', version: 1 })).toMatchObject({
		policy: { where: { value: 0 } },
	})
	expect((await listPolicies(ground.services, admin, {})).items).toMatchObject([{ name: 'ones', version: 2 }])
	await expect(getPolicy(ground.services, admin, { name: 'ones', version: 3 })).rejects.toMatchObject({
		code: 'NOT_FOUND',
	})
	expect(await createPlan(ground.services, admin, { policy: { name: 'ones', version: 1 } })).toMatchObject({
		policyName: 'ones',
		policyVersion: 1,
		rows: 3,
	})
})
