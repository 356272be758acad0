import type { TableItem } from '@reprieve/contracts'
import { openSessions, protectNewLeaves } from '@reprieve/postgres'
import { parseConfig, startSidecar } from '@reprieve/sidecar'
import { pino } from 'pino'
import { expect, test } from 'vitest'
import { differences, keep } from '../restore/scene.ts'
import { startCluster } from '../support/postgres.ts'
import { startReprieve } from '../support/reprieve.ts'
import { until } from '../support/wait.ts'
import { startTestService } from '../surfaces/support.ts'
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

test('a transaction of another role that began before protection is waited for, though its details are hidden', async () => {
	await using managed = await managedDatabase()
	const { sql } = managed.database
	await sql`create table public.t (id int primary key)`
	await sql`create table public.other (id int primary key)`
	const other = await managed.addRole()
	await sql.unsafe(`grant all on public.other to ${other}`)
	await using running = await startReprieve(managed.database)
	const outside = openSessions(managed.urlOf(other), { applicationName: 'other', max: 1 })
	const { promise: ending, resolve: end } = Promise.withResolvers<void>()
	const { promise: begun, resolve: begin } = Promise.withResolvers<void>()
	const older = outside.begin(async (tx) => {
		await tx`insert into public.other values (1)`
		begin()
		await ending
	})
	try {
		await begun
		const { tables } = await running.client.tables.protect({ tables: ['t'], wait: 2 })
		expect(tables[0]?.restorability).toMatchObject({ status: 'pending' })
		end()
		await older
		const again = await running.client.tables.protect({ tables: ['t'], wait: 60 })
		expect(again.tables[0]?.restorability).toEqual({ status: 'ready', findings: [] })
	} finally {
		end()
		await outside.end({ timeout: 5 })
	}
})

test('without REPLICATION capture does not start and the gate says which right is missing, until it is given', async () => {
	await using managed = await managedDatabase(undefined, 'createrole createdb')
	const { sql, url } = managed.database
	await sql`create table public.t (id int primary key)`
	await using service = await startTestService(managed.database)
	await using stack = new AsyncDisposableStack()
	const sidecar = startSidecar(parseConfig({ databaseUrl: url, backoffMs: 50 }), {
		vault: service.service.services.vault,
		log: pino({ level: 'silent' }),
	})
	stack.defer(() => sidecar.stop())
	const protect = async () => {
		const { body } = await service.call<{ tables: TableItem[] }>('POST', '/api/v1/tables/protect', { tables: ['t'] })
		return body.tables[0]?.restorability
	}
	const refused = await until(async () => {
		const findings = (await protect())?.findings
		return findings?.find((finding) => finding.code === 'captureNotPermitted')
	}, 'the finding')
	expect(refused.message).toMatch(/^PostgreSQL refuses capture: permission denied to use replication slots/)
	expect(refused.remedy).toContain('REPLICATION')
	await managed.superuser.unsafe(`alter role ${managed.role} replication`)
	await until(async () => (await protect())?.status === 'ready', 'capture', 60_000)
	expect((await protect())?.findings).toEqual([])
})

test("a table of somebody else's is refused with what to do, and protected once that is done", async () => {
	await using managed = await managedDatabase()
	const { sql } = managed.database
	const owner = await managed.addRole()
	await managed.superuser
		.unsafe(`create table public.t (id int primary key); alter table public.t owner to ${owner}`)
		.simple()
	await sql`create table public.mine (id int primary key)`
	await using running = await startReprieve(managed.database)
	const { tables } = await running.client.tables.protect({ tables: ['t', 'mine'], wait: 60 })
	expect(tables[0]?.restorability).toEqual({
		status: 'closed',
		findings: [
			{
				code: 'notOwner',
				table: 't',
				message: "reprieve's owner role does not own t",
				remedy: "Connect as the owner of t (REPRIEVE_OWNER_URL), or make that role a member of the owner's.",
			},
		],
	})
	expect(tables[1]?.restorability.status).toBe('ready')
	expect(await sql`select relreplident from pg_class where oid = 'public.t'::regclass`).toEqual([{ relreplident: 'd' }])
	await managed.superuser.unsafe(`grant ${owner} to ${managed.role}`)
	const again = await running.client.tables.protect({ tables: ['t'], wait: 60 })
	expect(again.tables[0]?.restorability).toEqual({ status: 'ready', findings: [] })
})

test('row security that applies to the role is a finding; what the owner is not subject to is none', async () => {
	await using managed = await managedDatabase()
	const { sql } = managed.database
	await sql
		.unsafe(`create table public.forced (id int primary key); insert into public.forced values (1), (2);
		alter table public.forced enable row level security; alter table public.forced force row level security;
		create policy odd on public.forced using (id = 1);
		create table public.usual (id int primary key);
		alter table public.usual enable row level security`)
		.simple()
	await using running = await startReprieve(managed.database)
	const { client } = running
	const { tables } = await client.tables.protect({ tables: ['forced', 'usual'], wait: 60 })
	expect(
		tables.map((table) => [table.restorability.status, table.restorability.findings.map((one) => one.code)]),
	).toEqual([
		['closed', ['rowSecurity']],
		['ready', []],
	])
	const where = { and: [] }
	await expect(client.plans.create({ kind: 'match', table: 'forced', where })).rejects.toMatchObject({
		code: 'FORBIDDEN',
		hint: expect.stringContaining('BYPASSRLS'),
	})
	await managed.superuser.unsafe(`alter role ${managed.role} bypassrls`)
	const again = await client.tables.protect({ tables: ['forced'], wait: 60 })
	expect(again.tables[0]?.restorability).toEqual({ status: 'ready', findings: [] })
	expect(await client.plans.create({ kind: 'match', table: 'forced', where })).toMatchObject({ rows: 2 })
})

test('without event triggers a protected table can be dropped, and the gap is on record', async () => {
	await using managed = await managedDatabase()
	const { sql } = managed.database
	await sql`create table public.t (id int primary key)`
	await using running = await startReprieve(managed.database)
	await running.client.tables.protect({ tables: ['t'], wait: 60 })
	await sql`drop table public.t`
	expect(await protectNewLeaves(sql)).toEqual([])
	const gaps = await sql`select "table", reason from reprieve.capture_gaps`
	expect(gaps).toEqual([{ table: 't', reason: 't was dropped with the rows that it held' }])
})

test('a restoring role that does not own the table needs session_replication_role, and is refused without', async () => {
	await using managed = await managedDatabase()
	const { sql } = managed.database
	await sql.unsafe(shop).simple()
	await keep(sql, 'orders')
	await using running = await startReprieve(managed.database)
	const restorer = await managed.addRole()
	await sql
		.unsafe(
			`grant create, usage on schema reprieve to ${restorer}; grant all on all tables in schema reprieve to ${restorer};
		grant all on all tables in schema public to ${restorer}`,
		)
		.simple()
	await running.client.tables.protect({ tables: ['orders'], wait: 60 })
	const job = await running.client.cleanup.match({ table: 'orders', where: { and: [] } })
	const { id } = await job.finished()
	const pool = openSessions(managed.urlOf(restorer), { applicationName: 'restorer' })
	running.service.services.pools.restore = pool
	try {
		const selection = { run: id }
		const preview = await running.client.restores.preview({ selection })
		expect(preview.findings).toContainEqual({
			code: 'triggersNotSuppressible',
			table: 'orders',
			message:
				'trigger "touch" cannot be kept from firing: session_replication_role is not granted, and the restoring role does not own the table',
			remedy:
				'Grant SET ON PARAMETER session_replication_role to the restoring role, make it the table owner, or drop the rule.',
		})
		await expect(
			running.client.restores.start({ selection, hash: preview.hash, reason: 'back' }),
		).rejects.toMatchObject({ code: 'NOT_RESTORABLE' })
		await managed.superuser.unsafe(`grant set on parameter session_replication_role to ${restorer}`)
		const { hash } = await running.client.restores.preview({ selection })
		const restoring = await running.client.restores.start({ selection, hash, reason: 'back' })
		expect(await restoring.finished()).toMatchObject({ status: 'succeeded', restored: 20, verified: 20 })
		expect(await differences(sql, 'orders', ['id'])).toEqual([])
	} finally {
		await pool.end({ timeout: 5 })
	}
})
