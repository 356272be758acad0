import { expect, test } from 'vitest'
import { findChanges } from '../../apps/service/src/archive/changes.ts'
import { startRestore } from '../../apps/service/src/restores/start.ts'
import { reportedRows } from '../../packages/restore/src/execute/shares.ts'
import { admin } from '../support/services.ts'
import { openScene, preview, restore, type Scene, work } from './scene.ts'

/** Row 1 is missing, 2 the same, 3 different, 4 taken by another row's unique value. */
async function fourFates(scene: Scene): Promise<void> {
	const { sql, vault } = scene
	await sql`create table public.t (id int primary key, code text unique, note text)`
	await sql`insert into public.t select n, 'c' || n, 'old' from generate_series(1, 4) n`
	await vault.deleteRows(sql, 't', 'true', { run: 'r' })
	await sql`insert into public.t values (2, 'c2', 'old'), (3, 'c3', 'new'), (9, 'c4', 'taker')`
}

const rows = (scene: Scene) => scene.sql`select id, note from public.t order by id`

test('a preview counts what is missing, same, different and taken, and shows then and now', async () => {
	await using scene = await openScene()
	await fourFates(scene)
	const { tables } = await preview(scene, { selection: { run: 'r' } })
	expect(tables).toMatchObject([{ rows: 4, missing: 1, same: 1, different: 1, taken: 1, superseded: 0 }])
	expect(tables[0]?.sample).toMatchObject([
		{ key: { id: 3 }, archived: { note: 'old' }, live: { note: 'new' }, state: 'different' },
		{ key: { id: 4 }, state: 'taken' },
	])
})

test('under stop a row in the way refuses the start and nothing changes', async () => {
	await using scene = await openScene()
	await fourFates(scene)
	const before = await rows(scene)
	await expect(restore(scene, { selection: { run: 'r' } })).rejects.toMatchObject({ code: 'CONFLICT' })
	expect(await rows(scene)).toEqual(before)
	expect(await scene.sql`select from reprieve.restores`).toHaveLength(0)
})

test('under stop a row that comes in between fails the batch and nothing of it stays', async () => {
	await using scene = await openScene()
	const { sql, vault } = scene
	await sql`create table public.t (id int primary key, note text)`
	await sql`insert into public.t values (1, 'a'), (2, 'b')`
	await vault.deleteRows(sql, 't', 'true', { run: 'r' })
	const { hash } = await preview(scene, { selection: { run: 'r' } })
	const queued = await startRestore(scene.services, admin, { selection: { run: 'r' }, hash, reason: 'test' })
	await sql`insert into public.t values (2, 'newcomer')`
	const done = await work(scene, queued.id)
	expect(done).toMatchObject({ status: 'failed', restored: 0, failure: { code: 'CONFLICT' } })
	expect(await rows(scene)).toEqual([{ id: 2, note: 'newcomer' }])
})

test('under skip live rows stay as they are and the report names each', async () => {
	await using scene = await openScene()
	await fourFates(scene)
	const done = await restore(scene, { selection: { run: 'r' }, conflict: 'skip' })
	expect(done).toMatchObject({ status: 'succeeded', restored: 1, identical: 1, skipped: 2, conflicts: 2, verified: 1 })
	expect(await rows(scene)).toEqual([
		{ id: 1, note: 'old' },
		{ id: 2, note: 'old' },
		{ id: 3, note: 'new' },
		{ id: 9, note: 'taker' },
	])
})

test('under overwrite a live row of the same key is replaced, its children stay, its image travels in the log', async () => {
	await using scene = await openScene()
	const { sql, vault, database } = scene
	await sql`create table public.t (id int primary key, note text)`
	await sql`create table public.child (id int primary key, t int references public.t on delete cascade)`
	await sql`insert into public.t values (1, 'old')`
	await vault.archiveRows(sql, 't', 'true')
	await sql`update public.t set note = 'new'`
	await sql`insert into public.child values (1, 1)`
	const slot = `s_${database.name}`
	await sql`select pg_create_logical_replication_slot(${slot}, 'test_decoding')`
	const selection = { table: 't', keys: [{ id: 1 }] }
	expect(await restore(scene, { selection, conflict: 'overwrite' })).toMatchObject({ restored: 1, verified: 1 })
	expect(await rows(scene)).toEqual([{ id: 1, note: 'old' }])
	expect(await sql`select from public.child`).toHaveLength(1)
	const messages = await sql<{ data: string }[]>`select data from pg_logical_slot_get_changes(${slot}, null, null)`
	const text = messages.map((row) => row.data).join('\n')
	expect(text.indexOf('reprieve.tag')).toBeGreaterThan(0)
	expect(text).toMatch(/reprieve\.overwrite.*"rows":\[\["1","new"\]\]/)
})

test('a live row that changed since the preview is not overwritten', async () => {
	await using scene = await openScene()
	const { sql, vault } = scene
	await sql`create table public.t (id int primary key, note text)`
	await sql`insert into public.t values (1, 'old')`
	await vault.archiveRows(sql, 't', 'true')
	await sql`update public.t set note = 'seen'`
	const input = { selection: { table: 't', keys: [{ id: 1 }] }, conflict: 'overwrite' as const }
	const { hash } = await preview(scene, input)
	const queued = await startRestore(scene.services, admin, { ...input, hash, reason: 'test' })
	await sql`update public.t set note = 'changed'`
	expect(await work(scene, queued.id)).toMatchObject({ restored: 0, skipped: 1, conflicts: 1 })
	expect(await rows(scene)).toEqual([{ id: 1, note: 'changed' }])
	expect(await sql`select message from reprieve.restored_rows`).toEqual([
		{ message: 'the live row changed since the preview' },
	])

	const again = await preview(scene, input)
	await sql`update public.t set note = 'changed again'`
	await expect(
		startRestore(scene.services, admin, { ...input, hash: again.hash, reason: 'test' }),
	).rejects.toMatchObject({
		code: 'CONFLICT',
	})
})

test('of two deletions of one key the newest is restored and the older reported as superseded', async () => {
	await using scene = await openScene()
	const { sql, vault } = scene
	await sql`create table public.t (id int primary key, note text)`
	await sql`insert into public.t values (1, 'first')`
	await vault.deleteRows(sql, 't', 'true', { run: 'r' })
	await sql`insert into public.t values (1, 'second')`
	await vault.deleteRows(sql, 't', 'true', { run: 'r' })
	const done = await restore(scene, { selection: { run: 'r' } })
	expect(done).toMatchObject({ selected: 2, restored: 1 })
	expect(await rows(scene)).toEqual([{ id: 1, note: 'second' }])
	expect(await sql`select state from ${sql.unsafe(reportedRows)} r order by n`).toEqual([
		{ state: 'restored' },
		{ state: 'superseded' },
	])
})

test('the same change is restored once, even when its row has another key by now, and the preview says so', async () => {
	await using scene = await openScene()
	const { sql, vault } = scene
	await sql`create table public.t (id int primary key, note text)`
	await sql`insert into public.t values (1, 'a')`
	await vault.deleteRows(sql, 't', 'true', { run: 'r' })
	await restore(scene, { selection: { run: 'r' } })
	await sql`update public.t set id = 2`
	const seen = await preview(scene, { selection: { run: 'r' } })
	expect(seen.findings).toContainEqual(expect.objectContaining({ code: 'broughtBackBefore', table: 't' }))
	expect(await restore(scene, { selection: { run: 'r' } })).toMatchObject({ restored: 0, skipped: 1 })
	expect(await rows(scene)).toEqual([{ id: 2, note: 'a' }])
})

test('a missing parent is offered, refused, and brought back with parents', async () => {
	await using scene = await openScene()
	const { sql, vault } = scene
	await sql`create table public.grand (id int primary key)`
	await sql`create table public.parent (id int primary key, grand int references public.grand)`
	await sql`create table public.t (id int primary key, parent int references public.parent, note text)`
	await sql`insert into public.grand values (7)`
	await sql`insert into public.parent values (1, 7)`
	await sql`insert into public.t values (5, 1, 'child')`
	await vault.deleteRows(sql, 't', 'true', { run: 'r' })
	await vault.deleteRows(sql, 'parent', 'true')
	await vault.deleteRows(sql, 'grand', 'true')
	const seen = await preview(scene, { selection: { run: 'r' } })
	expect(seen.parents).toEqual([{ table: 'parent', key: { id: 1 }, archived: true }])
	await expect(restore(scene, { selection: { run: 'r' } })).rejects.toMatchObject({ code: 'PARENT_MISSING' })
	expect(await restore(scene, { selection: { run: 'r' }, parents: true })).toMatchObject({ restored: 3, verified: 3 })
})

test('skipping is refused where it would leave a child without its parent', async () => {
	await using scene = await openScene()
	const { sql, vault } = scene
	await sql`create table public.parent (id int primary key, code int unique)`
	await sql`create table public.t (id int primary key, parent int references public.parent, note text)`
	await sql`insert into public.parent values (1, 7)`
	await sql`insert into public.t values (5, 1, 'child')`
	await vault.deleteRows(sql, 't', 'true', { run: 'r' })
	await vault.deleteRows(sql, 'parent', 'true', { run: 'r' })
	await sql`insert into public.parent values (2, 7)`
	await expect(restore(scene, { selection: { run: 'r' }, conflict: 'skip' })).rejects.toMatchObject({
		code: 'PARENT_MISSING',
	})
})

test('a relink is undone where the child still has the rewritten value, else reported', async () => {
	await using scene = await openScene()
	const { sql, vault } = scene
	await sql`create table public.parent (id int primary key)`
	await sql`create table public.t (id int primary key, parent int references public.parent on delete set null, note text)`
	await sql`insert into public.parent values (1), (2)`
	await sql`insert into public.t values (1, 1, 'a'), (2, 1, 'b'), (3, 1, 'c')`
	const relinks = (await vault.copy(sql, 't', 'true')).map((row) => ({ ...row, op: 1, rewritten: { parent: null } }))
	const parents = await vault.copy(sql, 'parent', 'id = 1')
	await sql`delete from public.parent where id = 1`
	await vault.transaction([...parents, ...relinks], { run: 'r' })
	await sql`update public.t set parent = 2 where id = 2`
	await sql`delete from public.t where id = 3`
	const seen = await preview(scene, { selection: { run: 'r' } })
	expect(seen.tables.map((table) => [table.table, table.rows, table.relinks])).toEqual([
		['parent', 1, 0],
		['t', 0, 3],
	])
	const done = await restore(scene, { selection: { run: 'r' } })
	expect(done).toMatchObject({ status: 'succeeded', restored: 1, relinked: 1, conflicts: 2 })
	expect(await sql`select id, parent from public.t order by id`).toEqual([
		{ id: 1, parent: 1 },
		{ id: 2, parent: 2 },
	])
	expect(await restore(scene, { selection: { run: 'r' } })).toMatchObject({ restored: 0, relinked: 0, identical: 2 })
})

test('a missing parent that nobody archived is named as such', async () => {
	await using scene = await openScene()
	const { sql, vault } = scene
	await sql`create table public.parent (id int primary key)`
	await sql`create table public.t (id int primary key, parent int references public.parent)`
	await sql`insert into public.parent values (1)`
	await sql`insert into public.t values (5, 1)`
	await vault.deleteRows(sql, 't', 'true', { run: 'r' })
	await sql`delete from public.parent`
	const { parents } = await preview(scene, { selection: { run: 'r' }, parents: true })
	expect(parents).toEqual([{ table: 'parent', key: { id: 1 }, archived: false }])
	await expect(restore(scene, { selection: { run: 'r' }, parents: true })).rejects.toMatchObject({
		code: 'PARENT_MISSING',
	})
})

test('a preview that the archive has not caught up with says that it is partial', async () => {
	await using scene = await openScene()
	const { sql, vault } = scene
	await sql`create table public.t (id int primary key)`
	await sql`insert into public.t values (1)`
	await vault.deleteRows(sql, 't', 'true')
	const seen = await preview(scene, { selection: { table: 't' } })
	expect(seen.complete).toBe(false)
	expect(seen.findings.map((finding) => finding.code)).toContain('archiveLagging')
})

test('a row that only moved comes back when it is picked, and not with its transaction', async () => {
	await using scene = await openScene()
	const { sql, vault, services } = scene
	await sql`create table public.t (id int primary key)`
	await sql`insert into public.t values (1), (2)`
	const [deleted, moved] = await vault.copy(sql, 't', 'true order by id')
	if (!deleted || !moved) throw new Error('no rows')
	await sql`delete from public.t`
	await vault.transaction([deleted, { ...moved, op: 2 }], { run: 'r' })
	for (const selection of [{ run: 'r' }, { table: 't' }]) {
		await restore(scene, { selection })
		expect(await sql`select id from public.t`).toEqual([{ id: 1 }])
	}
	const { items } = await findChanges(services, admin, { table: 't' })
	const picked = items.find((item) => item.op === 'move')?.id ?? ''
	expect(await restore(scene, { selection: { changes: [picked] } })).toMatchObject({ restored: 1 })
	expect(await sql`select id from public.t order by id`).toEqual([{ id: 1 }, { id: 2 }])
})
