import { randomUUID } from 'node:crypto'
import { expect, test } from 'vitest'
import { sweepPlans } from '../../apps/service/src/plans/sweep.ts'
import { freshDatabase } from '../support/postgres.ts'
import { testServices } from '../support/services.ts'

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
