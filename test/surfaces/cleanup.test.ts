import type { Plan, Run } from '@reprieve/contracts'
import { expect, test } from 'vitest'
import { freshDatabase, type TestDatabase } from '../support/postgres.ts'
import { problemOf, startTestService, type TestService } from './support.ts'

const policy = { table: 'customers', key: ['email'], keep: 'newest', by: 'id' }

async function createCustomers({ sql }: TestDatabase): Promise<void> {
	await sql`create table public.customers (id int primary key, email text)`
	await sql`insert into public.customers select n, 'c' || n % 50 || '@x' from generate_series(1, 200) n`
}

async function protect(service: TestService): Promise<void> {
	const { body } = await service.call<{ tables: { restorability: object }[] }>(
		'POST',
		'/api/v1/tables/protect?wait=30',
		{ tables: ['customers'] },
	)
	expect(body.tables).toMatchObject([{ table: 'customers', restorability: { status: 'ready', findings: [] } }])
}

test('one call finds, deletes and archives, and its dry run shows the plan and deletes nothing', async () => {
	await using database = await freshDatabase()
	await createCustomers(database)
	await using service = await startTestService(database, { capture: true })
	await protect(service)
	const dry = await service.call<Plan>('POST', '/api/cleanup/duplicates', { ...policy, dryRun: true })
	expect([dry.status, dry.body]).toMatchObject([200, { rows: 150, status: 'ready' }])
	const run = await service.call<Run>('POST', '/api/cleanup/duplicates', { ...policy, reason: 'double sign-ups' })
	expect([run.status, run.headers.get('location')]).toEqual([202, `/api/v1/runs/${run.body.id}`])
	const done = await service.call<Run>('GET', `${run.headers.get('location')}?wait=30`)
	expect(done.body).toMatchObject({ status: 'succeeded', planned: 150, deleted: 150, archived: 150, exposure: 0 })
	expect(await database.sql`select count(*)::int as n from public.customers`).toEqual([{ n: 50 }])
})

test('without a key a repeated call answers with the run that is still going on', async () => {
	await using database = await freshDatabase()
	await createCustomers(database)
	await using service = await startTestService(database, { capture: true })
	await protect(service)
	const { promise: released, resolve: release } = Promise.withResolvers<void>()
	const { promise: held, resolve: hold } = Promise.withResolvers<void>()
	const holding = database.sql.begin(async (tx) => {
		await tx`select from public.customers where id = 1 for update`
		hold()
		await released
	})
	await held
	try {
		const first = await service.call<Run>('POST', '/api/cleanup/duplicates', policy)
		const again = await Promise.all([1, 2].map(() => service.call<Run>('POST', '/api/cleanup/duplicates', policy)))
		expect(again.map(({ status, body }) => [status, body.id])).toEqual(Array(2).fill([202, first.body.id]))
		const other = await service.call('POST', '/api/cleanup/duplicates', { ...policy, keep: 'oldest' })
		expect(problemOf(other)).toMatchObject({ code: 'CONFLICT' })
		expect(await database.sql`select from reprieve.runs`).toHaveLength(1)
		release()
		const done = await service.call<Run>('GET', `/api/v1/runs/${first.body.id}?wait=30`)
		expect(done.body).toMatchObject({ status: 'succeeded', deleted: 150 })
	} finally {
		release()
		await holding
	}
})

test('an approval that is needed is asked for, with the plan; the approver may be no author', async () => {
	await using database = await freshDatabase()
	await createCustomers(database)
	await using service = await startTestService(database, { capture: true, approvalRows: 10 })
	await protect(service)
	const refused = problemOf(await service.call('POST', '/api/cleanup/duplicates', policy))
	expect(refused).toMatchObject({ status: 409, code: 'APPROVAL_REQUIRED', planId: expect.any(String) })
	const { body: plan } = await service.call<Plan>('GET', `/api/v1/plans/${refused.planId}`)
	const approve = (key?: string) =>
		service.call('POST', `/api/v1/plans/${plan.id}/approve`, { hash: plan.hash }, key ? { key } : {})
	expect(problemOf(await approve()).code).toBe('SELF_APPROVAL')
	expect(await database.sql`select count(*)::int as n from public.customers`).toEqual([{ n: 200 }])
})

test('a table that is not protected is refused, and neither plan nor run is left', async () => {
	await using database = await freshDatabase()
	await createCustomers(database)
	await using service = await startTestService(database, { capture: true })
	const refused = await service.call('POST', '/api/cleanup/duplicates', policy)
	expect(problemOf(refused)).toMatchObject({ status: 409, code: 'NOT_RESTORABLE' })
	const { body } = await service.call<{ items: Plan[] }>('GET', '/api/v1/plans')
	expect(body.items.filter((plan) => plan.status !== 'discarded')).toEqual([])
	expect(await database.sql`select from reprieve.runs`).toHaveLength(0)
	expect(await database.sql`select from pg_tables where tablename like 'plan\\_%'`).toHaveLength(0)
})
