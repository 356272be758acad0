import { expect, test } from 'vitest'
import { openShop } from './shop.ts'
import { deletePlan } from './single-batch.ts'

test('a session that would skip foreign keys and triggers deletes nothing', async () => {
	await using shop = await openShop(`create table things (id int primary key); insert into things values (1), (2);`)
	await shop.protect('things')
	const planId = await shop.plan({ kind: 'match', table: 'things', where: { and: [] } })
	const { sql, name } = shop.database
	await sql.unsafe(`alter database "${name}" set session_replication_role = replica`)
	await sql`select pg_terminate_backend(pid) from pg_stat_activity
		where datname = current_database() and application_name = 'test delete'`
	await expect(deletePlan(shop, planId)).rejects.toMatchObject({
		code: 'NOT_RESTORABLE',
		message: expect.stringContaining('session_replication_role replica'),
	})
	expect(await sql`select from public.things`).toHaveLength(2)
})
