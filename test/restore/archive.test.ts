import { expect, test } from 'vitest'
import { awaitBarrier, passBarrier } from '../../apps/service/src/archive/barrier.ts'
import { findChanges } from '../../apps/service/src/archive/changes.ts'
import { previewRestore } from '../../apps/service/src/restores/preview.ts'
import { captureGround, publish } from '../capture/ground.ts'
import { admin, testServices } from '../support/services.ts'
import { captured, restore } from './captured.ts'
import { differences, keep } from './scene.ts'

test('rows deleted by anybody are found in the archive and come back from it', async () => {
	await using scene = await captured()
	const { ground, services } = scene
	const { sql } = ground
	await sql`create table public.t (id int primary key, at timestamptz, f float8, note text)`
	await publish(ground, 'public.t')
	await sql`insert into public.t select n, 'infinity', 'NaN', repeat(E'\\t', n) from generate_series(1, 30) n`
	await keep(sql, 't')
	await sql.begin(async (tx) => {
		await tx`select pg_logical_emit_message(true, 'reprieve.claim', '{"actor":"ann","reason":"oops"}')`
		await tx`delete from public.t where id <= 20`
	})
	await sql`delete from public.t`
	const { position } = await passBarrier(services, admin, {})
	expect(position).toMatch(/^\d+-[0-9a-f]{16}$/)

	const first = await findChanges(services, admin, { table: 't', limit: 25 })
	expect(first.items).toHaveLength(25)
	const second = await findChanges(services, admin, { table: 't', limit: 25, cursor: first.next })
	expect(second.items).toHaveLength(5)
	expect(new Set([...first.items, ...second.items].map((change) => change.id)).size).toBe(30)
	expect(second.items[0]).toMatchObject({ op: 'delete', actor: 'ann', reason: 'oops', claimed: true })
	const where = { column: 'id', op: 'lte', value: 2 } as const
	expect((await findChanges(services, admin, { table: 't', where })).items.map((change) => change.key)).toEqual([
		{ id: 2 },
		{ id: 1 },
	])
	expect((await findChanges(services, admin, { table: 't', key: { id: 7 } })).items).toMatchObject([
		{ row: { id: 7, at: 'infinity', f: 'NaN' } },
	])
	expect((await findChanges(services, admin, { transaction: second.items[0]?.transaction })).items).toHaveLength(20)

	const done = await restore(services, { selection: { table: 't', where } })
	expect(done).toMatchObject({ status: 'succeeded', restored: 2, verified: 2 })
	expect(await restore(services, { selection: { table: 't' } })).toMatchObject({ restored: 28, identical: 2 })
	expect(await differences(sql, 't', ['id'])).toEqual([])
})

test('an overwritten image is archived as a change and found by its restore', async () => {
	await using scene = await captured()
	const { ground, services } = scene
	const { sql } = ground
	await ground.vault.putKey({
		id: services.signer.keyId,
		publicKey: services.signer.publicKey,
		validFrom: '2020-01-01T00:00:00Z',
	})
	await sql`create table public.t (id int primary key, note text, twice int generated always as (id * 2) stored)`
	await publish(ground, 'public.t')
	await sql`insert into public.t values (1, 'old')`
	await sql`delete from public.t`
	await sql`insert into public.t values (1, 'new')`
	const done = await restore(services, { selection: { table: 't', keys: [{ id: 1 }] }, conflict: 'overwrite' })
	expect(done).toMatchObject({ restored: 1, verified: 1 })
	await awaitBarrier(services, 30_000)
	const { items } = await findChanges(services, admin, { table: 't' })
	expect(items).toMatchObject([
		{ op: 'overwrite', row: { id: 1, note: 'new' }, restore: done.id, actor: 'admin', reason: 'bring back' },
		{ op: 'delete', row: { id: 1, note: 'old' } },
	])
})

test('without capture a barrier says how far the archive is', async () => {
	await using ground = await captureGround()
	await using services = await testServices(ground, { vault: ground.vault })
	await expect(passBarrier(services, admin, { timeoutMs: 50 })).rejects.toMatchObject({
		code: 'ARCHIVE_LAGGING',
		message: expect.stringMatching(/written up to [0-9A-F]+\/[0-9A-F]+ and archived up to nothing/),
	})
})

/** Bytes whose hex, and characters of several bytes and escapes whose text, is too long for a line of COPY here. */
const longBytes = "decode(repeat('00ff7a5c', 9000000), 'hex')"
const longText = "repeat(E'\\u00e4\\\\\\u20ac\\t', 10000000)"

test('a value too long for a line of COPY comes back in pieces', async () => {
	await using scene = await captured()
	const { ground, services } = scene
	const { sql } = ground
	await sql`create domain public.blob as bytea not null check (octet_length(value) > 1)`
	await sql`create table public.t (id int primary key, doc bytea, note text, kept public.blob)`
	await publish(ground, 'public.t')
	await sql.unsafe(`insert into public.t values (1, ${longBytes}, ${longText}, ${longBytes}), (2, '', 'a', '\\x0102')`)
	await keep(sql, 't')
	await sql`delete from public.t`
	await ground.barrier(60_000)
	expect(await restore(services, { selection: { table: 't' } })).toMatchObject({ restored: 2 })
	expect(await differences(sql, 't', ['id'])).toEqual([])
	expect(await restore(services, { selection: { table: 't' } })).toMatchObject({ restored: 0 })
}, 180_000)

test('it comes back in pieces also into a table whose rows fill a page', async () => {
	await using scene = await captured()
	const { ground, services } = scene
	const { sql } = ground
	const many = Array.from({ length: 260 }, (_, at) => `c${at} text default 'x'`)
	await sql.unsafe(`create table public.w (id int primary key, doc bytea, note text, ${many.join(', ')})`)
	await publish(ground, 'public.w')
	await sql.unsafe(`insert into public.w values (1, 'a', 'a'), (2, ${longBytes}, ${longText}), (3, 'b', 'b')`)
	await keep(sql, 'w')
	await sql`delete from public.w where id < 3`
	await sql`delete from public.w`
	await ground.barrier(60_000)
	expect(await restore(services, { selection: { table: 'w' } })).toMatchObject({ restored: 3 })
	expect(await differences(sql, 'w', ['id'])).toEqual([])
}, 180_000)

test('a long value in a column of another type now must read back as it was archived', async () => {
	await using scene = await captured()
	const { ground, services } = scene
	const { sql } = ground
	await sql`create domain public.blob as bytea`
	await sql`create table public.t (id int primary key, doc bytea, note text)`
	await publish(ground, 'public.t')
	await sql.unsafe(`insert into public.t values (1, ${longBytes}, repeat('ab', 40000000))`)
	await keep(sql, 't')
	await sql`delete from public.t`
	await ground.barrier(60_000)
	await sql`alter table public.t alter doc type public.blob, alter note type varchar`
	const input = { selection: { table: 't' }, rename: { t: { doc: 'doc', note: 'note' } } }
	expect(await restore(services, input)).toMatchObject({ restored: 1 })
	expect(await sql`select from public.t join kept.t k using (id) where t.doc = k.doc and t.note = k.note`).toHaveLength(
		1,
	)
	await sql`delete from public.t`
	await ground.barrier(60_000)
	await sql`alter table public.t alter note type varchar(50)`
	await expect(restore(services, input)).rejects.toMatchObject({
		code: 'SCHEMA_DRIFT',
		message: expect.stringContaining('80000000 bytes of text'),
	})
}, 180_000)

test('a very long value whose row is in the table again is refused by table, key, column and bytes', async () => {
	await using scene = await captured()
	const { ground, services } = scene
	const { sql } = ground
	await sql`create table public.t (id int primary key, doc bytea)`
	await publish(ground, 'public.t')
	await sql`insert into public.t values (1, decode(repeat('00', 140000000), 'hex'))`
	await sql`delete from public.t`
	await ground.barrier(60_000)
	await sql`insert into public.t values (1, 'other')`
	await expect(previewRestore(services, admin, { selection: { table: 't' } })).rejects.toMatchObject({
		code: 'LIMIT_EXCEEDED',
		message: expect.stringMatching(/^t \{"id": 1\}: column "doc" has 280000002 bytes of text, at most 268435456/),
	})
}, 180_000)
