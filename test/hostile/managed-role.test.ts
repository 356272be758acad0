import { expect, test } from 'vitest'
import { differences, keep } from '../restore/scene.ts'
import { startCluster } from '../support/postgres.ts'
import { startReprieve } from '../support/reprieve.ts'
import { managedDatabase } from './managed.ts'

const shop = `
	create table public.customers (id int primary key, name text not null);
	create table public.orders (id int primary key, customer int references public.customers on delete cascade, note text);
	insert into public.customers select n, 'customer ' || n from generate_series(1, 20) n;
	insert into public.orders select n, n, 'as it was' from generate_series(1, 20) n;
	create function public.touch() returns trigger language plpgsql as 'begin new.note = ''touched''; return new; end';
	create trigger touch before insert on public.orders for each row execute function public.touch()`

test.each([15, 18] as const)(
	'on PostgreSQL %i a role without superuser protects, deletes and restores whole, triggers and children included',
	{ timeout: 300_000 },
	async (version) => {
		await using cluster = version === 15 ? await startCluster(15) : undefined
		await using managed = await managedDatabase(cluster)
		const { sql } = managed.database
		await sql.unsafe(shop).simple()
		await keep(sql, 'customers')
		await keep(sql, 'orders')
		await using running = await startReprieve(managed.database)
		const { client } = running
		const { tables } = await client.tables.protect({ tables: ['customers'], wait: 60 })
		expect(tables[0]).toMatchObject({ table: 'customers', restorability: { status: 'ready', findings: [] } })
		expect(tables[0]?.changes?.filter((line) => line.startsWith('-- event'))).toEqual([
			'-- event trigger reprieve_guard_drop needs a superuser: DROP and ALTER are not refused',
			'-- event trigger reprieve_guard_alter needs a superuser: DROP and ALTER are not refused',
		])
		const where = { column: 'id', op: 'lte', value: 10 } as const
		const job = await client.cleanup.match({ table: 'customers', where, reason: 'test' })
		const run = await job.finished()
		expect(run).toMatchObject({ status: 'succeeded', deleted: 20, archived: 20, collateral: 0 })
		const preview = await client.restores.preview({ selection: { run: run.id } })
		expect(preview.findings.map((finding) => finding.code)).toEqual(['triggersSuppressed'])
		const restoring = await client.restores.start({ selection: { run: run.id }, hash: preview.hash, reason: 'back' })
		expect(await restoring.finished()).toMatchObject({ status: 'succeeded', restored: 20, verified: 20 })
		expect(await differences(sql, 'customers', ['id'])).toEqual([])
		expect(await differences(sql, 'orders', ['id'])).toEqual([])
		expect(await sql`select tgenabled from pg_trigger where tgname = 'touch'`).toEqual([{ tgenabled: 'O' }])
	},
)
