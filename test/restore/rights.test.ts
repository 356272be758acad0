import { openSessions } from '@reprieve/postgres'
import { expect, test } from 'vitest'
import { startRestore } from '../../apps/service/src/restores/start.ts'
import { admin } from '../support/services.ts'
import { differences, keep, openScene, preview, restore, type Scene, work } from './scene.ts'

/** Restores are the role's, who has the password x, while `act` is under way; then the role goes. */
async function restoringAs({ sql, services, database }: Scene, role: string, act: () => Promise<void>): Promise<void> {
	const url = new URL(database.url)
	url.username = role
	url.password = 'x'
	const pool = openSessions(url.href, { applicationName: 'restorer' })
	services.pools.restore = pool
	try {
		await act()
	} finally {
		await pool.end({ timeout: 5 })
		await sql.unsafe(`drop owned by ${role} cascade; drop role ${role}`).simple()
	}
}

test('a role that owns the table but may not set session_replication_role restores with triggers disabled', async () => {
	await using scene = await openScene()
	const { sql, vault, database } = scene
	const role = `r_${database.name}`
	await sql.unsafe(`create role ${role} login password 'x'`)
	await sql
		.unsafe(`create table public.t (id int primary key, note text); insert into public.t values (1, 'as it was')`)
		.simple()
	await sql`create function public.touch() returns trigger language plpgsql as 'begin new.note = ''touched''; return new; end'`
	await sql`create trigger touch before insert on public.t for each row execute function public.touch()`
	await sql
		.unsafe(`alter table public.t owner to ${role};
		grant create, usage on schema reprieve to ${role}; grant all on all tables in schema reprieve to ${role}`)
		.simple()
	await keep(sql, 't')
	await vault.deleteRows(sql, 't', 'true', { run: 'r' })
	await restoringAs(scene, role, async () => {
		expect(await restore(scene, { selection: { run: 'r' } })).toMatchObject({ status: 'succeeded', verified: 1 })
		expect(await differences(sql, 't', ['id'])).toEqual([])
	})
})

test('a role that may not lock the parents leaves their check to the server', async () => {
	await using scene = await openScene()
	const { sql, vault, database } = scene
	const role = `r_${database.name}`
	await sql
		.unsafe(`create role ${role} login password 'x'; grant set on parameter session_replication_role to ${role};
		create table public.parent (id int primary key); insert into public.parent values (1);
		create table public.t (id int primary key, parent int references public.parent); insert into public.t values (1, 1);
		alter table public.t owner to ${role};
		grant create, usage on schema reprieve to ${role}; grant all on all tables in schema reprieve to ${role};
		grant select on public.parent to ${role}`)
		.simple()
	await vault.deleteRows(sql, 't', 'true', { run: 'r' })
	await restoringAs(scene, role, async () => {
		expect(await restore(scene, { selection: { run: 'r' } })).toMatchObject({ status: 'succeeded', verified: 1 })
		expect(await sql`select from reprieve.restored_shares where version is not null`).toHaveLength(1)
	})
})

test('a database set to replica mode does not switch the foreign-key checks off', async () => {
	await using scene = await openScene()
	const { sql, vault, services, database } = scene
	await sql`create table public.parent (id int primary key)`
	await sql`create table public.t (id int primary key, parent int references public.parent)`
	await sql`insert into public.parent values (1)`
	await sql`insert into public.t values (1, 1)`
	await vault.deleteRows(sql, 't', 'true', { run: 'r' })
	const input = { selection: { run: 'r' } }
	const { hash } = await preview(scene, input)
	const queued = await startRestore(services, admin, { ...input, hash, reason: 'test' })
	await sql`delete from public.parent`
	await sql.unsafe(`alter database ${database.name} set session_replication_role = replica`)
	const pool = openSessions(database.url, { applicationName: 'restorer' })
	services.pools.restore = pool
	try {
		expect(await work(scene, queued.id)).toMatchObject({ status: 'failed', failure: { code: 'PARENT_MISSING' } })
	} finally {
		await pool.end({ timeout: 5 })
	}
})
