import { expect, test } from 'vitest'
import { openScene, preview, restore, type Scene } from './scene.ts'

async function archived(scene: Scene): Promise<void> {
	await scene.sql`create table public.t (id int primary key, code text, n int)`
	await scene.sql`insert into public.t values (1, '007', 5)`
	await scene.vault.deleteRows(scene.sql, 't', 'true', { run: 'r' })
}

const selection = { run: 'r' }
const drift = { code: 'SCHEMA_DRIFT' }

test('an added column that is nullable or has a default is filled and shown', async () => {
	await using scene = await openScene()
	await archived(scene)
	await scene.sql`alter table public.t add extra int, add more text not null default 'd'`
	const { findings } = await preview(scene, { selection })
	expect(findings.filter((finding) => finding.code === 'columnAdded')).toHaveLength(2)
	expect(await restore(scene, { selection })).toMatchObject({ restored: 1, verified: 1 })
	expect(await scene.sql`select * from public.t`).toEqual([{ id: 1, code: '007', n: 5, extra: null, more: 'd' }])
})

test('an added NOT NULL column without default is refused', async () => {
	await using scene = await openScene()
	await archived(scene)
	await scene.sql`alter table public.t add extra int not null`
	await expect(restore(scene, { selection })).rejects.toMatchObject(drift)
})

test('a dropped column is refused until its values are left in the archive', async () => {
	await using scene = await openScene()
	await archived(scene)
	await scene.sql`alter table public.t drop n`
	await expect(restore(scene, { selection })).rejects.toMatchObject(drift)
	expect(await restore(scene, { selection, rename: { t: { n: '' } } })).toMatchObject({ restored: 1 })
})

test('a column dropped and added under the same name is another column', async () => {
	await using scene = await openScene()
	await archived(scene)
	await scene.sql`alter table public.t drop n`
	await scene.sql`alter table public.t add n int`
	await expect(restore(scene, { selection })).rejects.toMatchObject(drift)
	expect(await restore(scene, { selection, rename: { t: { n: 'n' } } })).toMatchObject({ restored: 1 })
	expect(await scene.sql`select n from public.t`).toEqual([{ n: 5 }])
})

test('a renamed column is refused with the map that answers it', async () => {
	await using scene = await openScene()
	await archived(scene)
	await scene.sql`alter table public.t rename code to label`
	await expect(restore(scene, { selection })).rejects.toMatchObject({
		...drift,
		hint: expect.stringContaining('"label"'),
	})
	await restore(scene, { selection, rename: { t: { code: 'label' } } })
	expect(await scene.sql`select label from public.t`).toEqual([{ label: '007' }])
})

test('a retyped column takes only values that read back as they were archived', async () => {
	await using scene = await openScene()
	await archived(scene)
	await scene.sql`alter table public.t alter code type int using 0, alter n type text`
	await expect(restore(scene, { selection })).rejects.toMatchObject(drift)
	const lossy = { t: { code: 'code', n: 'n' } }
	await expect(restore(scene, { selection, rename: lossy })).rejects.toMatchObject({
		...drift,
		message: expect.stringContaining("'007' reads back as '7'"),
	})
	expect(await restore(scene, { selection, rename: { t: { code: '', n: 'n' } } })).toMatchObject({ restored: 1 })
})

test('a table of the same name with another OID is another table', async () => {
	await using scene = await openScene()
	await archived(scene)
	await scene.sql`drop table public.t`
	await expect(restore(scene, { selection })).rejects.toMatchObject(drift)
	await scene.sql`create table public.t (id int primary key, code text, n int)`
	await expect(restore(scene, { selection })).rejects.toMatchObject(drift)
	const rename = { t: { id: 'id', code: 'code', n: 'n' } }
	expect(await restore(scene, { selection, rename })).toMatchObject({ restored: 1 })
})

test('a table that was renamed is still the same table', async () => {
	await using scene = await openScene()
	await archived(scene)
	await scene.sql`alter table public.t rename to u`
	expect(await restore(scene, { selection })).toMatchObject({ restored: 1 })
	expect(await scene.sql`select id from public.u`).toEqual([{ id: 1 }])
})

test('rows that one table has under two names come back name by name, and are not taken for one selection', async () => {
	await using scene = await openScene()
	await archived(scene)
	await scene.sql`alter table public.t rename to u`
	await scene.sql`insert into public.u (id, code, n) values (2, '008', 6), (3, '009', 7)`
	await scene.vault.deleteRows(scene.sql, 'u', 'true')
	const all = { from: '2000-01-01T00:00:00Z', to: '2100-01-01T00:00:00Z' }
	await expect(restore(scene, { selection: all })).rejects.toMatchObject({
		code: 'INVALID',
		message: 't and u are one table by now, u',
	})
	expect(await scene.sql`select from public.u`).toHaveLength(0)
	await scene.sql`alter table public.u rename n to m`
	await expect(preview(scene, { selection: all })).rejects.toMatchObject({ code: 'INVALID' })
	await scene.sql`alter table public.u rename m to n`
	expect(await restore(scene, { selection: { table: 'u', ...all } })).toMatchObject({ selected: 2, restored: 2 })
	expect(await restore(scene, { selection: { table: 't', ...all } })).toMatchObject({ selected: 1, restored: 1 })
	expect(await scene.sql`select id from public.u order by id`).toEqual([{ id: 1 }, { id: 2 }, { id: 3 }])
})

test("a name under which a renamed table has nothing to bring back is in nobody's way", async () => {
	await using scene = await openScene()
	const { sql, vault } = scene
	await sql`create table public.t (id int primary key, code text)`
	await sql`insert into public.t values (1, 'a')`
	await vault.transaction((await vault.copy(sql, 't', 'true')).map((row) => ({ ...row, op: 2 })))
	await sql`alter table public.t rename to u`
	await vault.deleteRows(sql, 'u', 'true')
	const all = { from: '2000-01-01T00:00:00Z', to: '2100-01-01T00:00:00Z' }
	expect((await preview(scene, { selection: all })).findings.filter(({ code }) => code === 'schemaDrift')).toEqual([])
	expect(await restore(scene, { selection: all })).toMatchObject({ status: 'succeeded', restored: 1 })
})

test('a value that no longer fits is refused, and nothing is cut to size', async () => {
	await using scene = await openScene()
	await scene.sql`create table public.t (id int primary key, code varchar(10))`
	await scene.sql`insert into public.t values (1, 'abcdefgh')`
	await scene.vault.deleteRows(scene.sql, 't', 'true', { run: 'r' })
	await scene.sql`alter table public.t alter code type varchar(3)`
	await expect(restore(scene, { selection, rename: { t: { code: 'code' } } })).rejects.toMatchObject(drift)
	expect(await scene.sql`select from public.t`).toHaveLength(0)
})

test.each(['drop n', 'rename n to m', 'alter n type text'])(
	'no start is refused for a move, which it leaves alone, from before alter table %s',
	async (change) => {
		await using scene = await openScene()
		const { sql, vault } = scene
		await sql`create table public.t (id int primary key, code text, n int)`
		await sql`insert into public.t values (1, 'a', 5)`
		await vault.transaction((await vault.copy(sql, 't', 'true')).map((row) => ({ ...row, op: 2 })))
		await sql.unsafe(`alter table public.t ${change}`)
		await vault.deleteRows(sql, 't', 'true')
		const keyed = { selection: { table: 't', keys: [{ id: 1 }] } }
		expect((await preview(scene, keyed)).findings.filter(({ code }) => code === 'schemaDrift')).toEqual([])
		expect(await restore(scene, keyed)).toMatchObject({ status: 'succeeded', restored: 1, verified: 1 })
	},
)
