import { randomUUID } from 'node:crypto'
import { plans } from '@reprieve/control'
import { eq } from 'drizzle-orm'
import { expect, test } from 'vitest'
import { sweepPlans } from '../../apps/service/src/plans/sweep.ts'
import { freshDatabase } from '../support/postgres.ts'
import { testServices } from '../support/services.ts'
import { openGround, plan } from './support.ts'

test('rows of a plan that somebody is at stay, though no plan names them yet', async () => {
	await using database = await freshDatabase()
	await using services = await testServices(database)
	const id = randomUUID()
	const table = `reprieve.plan_${id.replaceAll('-', '')}_0`
	await database.sql.unsafe(`create table ${table} (unit int8 primary key)`)
	await database.sql.begin(async (tx) => {
		await tx`select pg_advisory_xact_lock(hashtext('reprieve.plan'), hashtext(${id}::text))`
		expect(await sweepPlans(services)).toMatchObject({ dropped: 0 })
	})
	expect(await sweepPlans(services)).toMatchObject({ dropped: 1 })
	expect(await database.sql`select to_regclass(${table}) as gone`).toEqual([{ gone: null }])
})

test('a plan that is between two of its transactions when the sweep comes is not failed', async () => {
	await using ground = await openGround()
	const { database, services } = ground
	await database.sql`create table public.t (id int primary key)`
	const made = await plan(services, { kind: 'match', table: 't', where: { and: [] } })
	await services.control.db
		.update(plans)
		.set({ status: 'planning', createdAt: '2020-01-01T00:00:00Z' })
		.where(eq(plans.id, made.id))
	const [swept, held] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()]
	let next: Promise<unknown> | undefined
	const goOn = () =>
		database.sql.begin(async (tx) => {
			await tx`select pg_advisory_xact_lock(hashtext('reprieve.plan'), hashtext(${made.id}::text))`
			held.resolve()
			await swept.promise
		})
	const look = async (act: (tx: never) => Promise<unknown>) => {
		const seen = await services.pools.plan.begin(act as never)
		next ??= goOn()
		await held.promise
		return seen
	}
	const pool = new Proxy(services.pools.plan, { get: (of, name) => (name === 'begin' ? look : Reflect.get(of, name)) })
	expect(await sweepPlans({ ...services, pools: { ...services.pools, plan: pool } })).toMatchObject({ abandoned: 0 })
	swept.resolve()
	await next
})
