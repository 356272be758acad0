import { findTable, planProtection } from '@reprieve/postgres'
import postgres from 'postgres'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type Ground, openGround } from './ground.ts'

/** What cannot be brought back, or not seen, is said by name; the rest of it comes back. */
let ground: Ground
let sql: postgres.Sql
beforeAll(async () => {
	ground = await openGround(18)
	sql = postgres(ground.url, { max: 1, onnotice: () => {}, connection: { search_path: 'public' } })
})
afterAll(async () => {
	await sql.end({ timeout: 5 })
	await ground[Symbol.asyncDispose]()
})

async function protect(table: string, ...acknowledge: string[]): Promise<void> {
	const { tables } = await ground.client.tables.protect({ tables: [table], acknowledge, wait: 60 })
	expect(tables[0]?.restorability).toEqual({ status: 'ready', findings: [] })
}

/** Ids of the newest changes of a table, by the value of column id. */
async function changesOf(table: string): Promise<Map<unknown, string>> {
	await ground.client.archive.barrier({ timeoutMs: 60_000 })
	const { items } = await ground.client.archive.page({ table, limit: 100 })
	return new Map(items.map(({ id, key }) => [key.id, id]))
}

async function restore(changes: string[]) {
	const { client } = ground
	const selection = { changes }
	const { hash } = await client.restores.preview({ selection })
	return await (await client.restores.start({ selection, hash, reason: 'back' })).finished()
}

test('a row that broke a foreign key which is not valid stays in the archive, named; the others come back', async () => {
	const { client } = ground
	await sql.unsafe(`create table p (id int primary key); create table c (id int primary key, p int);
		insert into p values (1); insert into c values (1, 1), (2, 77), (3, null);
		alter table c add constraint c_p foreign key (p) references p not valid`)
	await protect('c', 'notValid:public.c.c_p')
	await sql.unsafe('delete from c')
	const changes = await changesOf('c')
	const selection = { changes: [...changes.values()] }
	const preview = await client.restores.preview({ selection })
	expect(preview.parents).toEqual([{ table: 'p', key: { id: 77 }, archived: false }])
	await expect(restore([...changes.values()])).rejects.toMatchObject({ code: 'PARENT_MISSING' })
	expect(await sql.unsafe('select from c')).toHaveLength(0)
	changes.delete(2)
	expect(await restore([...changes.values()])).toMatchObject({ status: 'succeeded', restored: 2, verified: 2 })
	expect(await sql.unsafe('select id, p from c order by id')).toEqual([
		{ id: 1, p: 1 },
		{ id: 3, p: null },
	])
})

test('a row that broke a check which is not valid stays in the archive, and the restore says which check', async () => {
	await sql.unsafe(`create table k (id int primary key); insert into k values (1), (200);
		alter table k add constraint small check (id < 9) not valid`)
	await protect('k', 'notValid:public.k.small')
	await sql.unsafe('delete from k')
	const changes = await changesOf('k')
	const refused = { code: 'SCHEMA_DRIFT', message: expect.stringContaining('"small"') }
	await expect(restore([...changes.values()])).rejects.toMatchObject(refused)
	expect(await sql.unsafe('select from k')).toHaveLength(0)
	changes.delete(200)
	expect(await restore([...changes.values()])).toMatchObject({ status: 'succeeded', restored: 1, verified: 1 })
})

test('an enum label that is gone stops the restore by name, and lets it go on when it is back', async () => {
	await sql.unsafe(`create type mood as enum ('sad', 'glad'); create table m (id int primary key, mood mood);
		insert into m values (1, 'sad')`)
	await protect('m')
	await sql.unsafe(`delete from m; alter type mood rename value 'sad' to 'blue'`)
	const changes = await changesOf('m')
	const refused = { code: 'SCHEMA_DRIFT', message: expect.stringContaining('"sad"') }
	await expect(restore([...changes.values()])).rejects.toMatchObject(refused)
	await sql.unsafe(`alter type mood rename value 'blue' to 'sad'`)
	expect(await restore([...changes.values()])).toMatchObject({ status: 'succeeded', restored: 1, verified: 1 })
})

test('a temporary table is refused as one', async () => {
	const session = postgres(ground.url, { max: 1, onnotice: () => {} })
	try {
		const [row] = await session
			.unsafe('create temp table t (id int primary key); select pg_my_temp_schema()::regnamespace::text as schema')
			.then((results) => results.at(-1) as unknown as { schema: string }[])
		const { tables } = await ground.client.tables.protect({ tables: [`${row?.schema}.t`] })
		expect(tables[0]?.restorability.findings).toMatchObject([{ code: 'temporary', remedy: 'Use an ordinary table.' }])
	} finally {
		await session.end({ timeout: 5 })
	}
})

test.each([
	['its owner, where row security is forced', 'owner', 'force row level security', true],
	['its owner, where row security is not forced', 'owner', 'enable row level security', false],
	['another role', 'other', 'enable row level security', true],
])('row security that applies to %s is a finding', async (_, who, force, isFinding) => {
	const role = `r_${crypto.randomUUID().replaceAll('-', '')}`
	await sql.unsafe(`create role ${role} login; grant usage on schema reprieve to ${role};
		grant select on all tables in schema reprieve to ${role};
		create table ${role} (id int primary key); alter table ${role} enable row level security, ${force}`)
	if (who === 'owner') await sql.unsafe(`alter table ${role} owner to ${role}`)
	const session = postgres(ground.url, { max: 1, connection: { role } })
	try {
		const oid = (await findTable(ground.sql, { schema: 'public', name: role }))?.oid ?? 0
		const { asked } = await planProtection(session, [oid])
		const found = asked.flatMap(({ refusals }) => refusals.filter(({ code }) => code === 'rowSecurity'))
		expect(found.map(({ remedy }) => remedy)).toEqual(isFinding ? ['Give the role BYPASSRLS.'] : [])
	} finally {
		await session.end({ timeout: 5 })
		await sql.unsafe(`drop table ${role}; drop owned by ${role}; drop role ${role}`)
	}
})
