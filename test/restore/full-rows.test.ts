import { expect, test } from 'vitest'
import { deleteRewritten, differences, keep, openScene, preview, restore } from './scene.ts'

const columns = (count: number, type: string) => Array.from({ length: count }, (_, at) => `c${at} ${type}`).join(', ')

/** Tables to which no column can be added, or no byte. */
const tables = {
	'of 1,600 columns': columns(1596, 'int2'),
	'whose rows fill their page': `${columns(126, "name not null default 'c'")}, tail int8, tail2 "char"`,
}

test.for(Object.entries(tables))(
	'tables %s are compared, overwritten and relinked',
	{ timeout: 240_000 },
	async ([, own]) => {
		await using scene = await openScene()
		const { sql, vault } = scene
		await sql.unsafe(`create table public.p (id int primary key);
		create table public.t (id int2 primary key, p int references public.p on delete set null, code int2 not null unique,
			note "char", ${own})`)
		await sql`insert into public.p values (1)`
		await sql`insert into public.t (id, p, code, note) select n, 1, n, 'o' from generate_series(1, 5) n`
		await keep(sql, 't')
		const relinks = (await vault.copy(sql, 't', 'id = 5')).map((row) => ({ ...row, op: 1, rewritten: { p: null } }))
		await vault.transaction([...(await vault.copy(sql, 't', 'id < 5')), ...relinks], { run: 'r' })
		await vault.deleteRows(sql, 'p', 'true', { run: 'r' })
		await sql`delete from public.t where id in (1, 4)`
		await sql`update public.t set note = 'n', c0 = '8', p = null where id = 3`
		await sql`insert into public.t (id, code) values (9, 4)`

		const seen = await preview(scene, { selection: { run: 'r' } })
		const counts = seen.tables.find(({ table }) => table === 't')
		expect(counts).toMatchObject({ rows: 4, missing: 1, same: 0, different: 2, taken: 1, relinks: 1 })
		expect(counts?.sample).toMatchObject([
			{ key: { id: 2 }, archived: { note: 'o' }, live: { note: 'o', p: null }, state: 'different' },
			{ key: { id: 3 }, archived: { note: 'o' }, live: { note: 'n' }, state: 'different' },
			{ key: { id: 4 }, state: 'taken' },
		])
		await sql`delete from public.t where id = 9`
		const done = await restore(scene, { selection: { run: 'r' }, conflict: 'overwrite' })
		expect(done).toMatchObject({ status: 'succeeded', restored: 5, verified: 5, relinked: 1, conflicts: 0 })
		expect(await differences(sql, 't', ['id'])).toEqual([])
	},
)

test.for(Object.entries(tables))(
	'rows of tables %s that could not come back as they were archived do, with their relinks undone',
	{ timeout: 240_000 },
	async ([, own]) => {
		await using scene = await openScene()
		const { sql } = scene
		await sql.unsafe(`create table public.parent (region int, id int, primary key (region, id));
		create table public.child (id int2 primary key, region int, parent int default 1, ${own}, foreign key (region, parent)
			references public.parent on delete set default (parent) deferrable initially deferred)`)
		await sql`insert into public.parent values (0, 5), (0, 6)`
		await sql`insert into public.child (id, region, parent) values (1, 0, 5), (2, 0, 6), (3, 0, null)`
		await keep(sql, 'child')
		await deleteRewritten(scene, { parent: '1' })
		const done = await restore(scene, { selection: { run: 'r' } })
		expect(done).toMatchObject({ status: 'succeeded', restored: 5, identical: 2, conflicts: 0, verified: 5 })
		expect(await differences(sql, 'child', ['id'])).toEqual([])
	},
)
