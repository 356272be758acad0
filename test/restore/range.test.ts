import { formatInstant } from '@reprieve/contracts'
import { expect, test } from 'vitest'
import { committedAt } from './filled-vault.ts'
import { differences, keep, openScene, preview, restore } from './scene.ts'

test('a range of time brings back what was deleted in it, from every table, and nothing else', async () => {
	await using scene = await openScene()
	const { sql, vault } = scene
	await sql`create table public.parent (id int primary key)`
	await sql`create table public.child (id int primary key, parent int references public.parent)`
	await sql`insert into public.parent values (1), (2), (3)`
	await sql`insert into public.child values (1, 1), (2, 2), (3, 3)`
	await vault.deleteRows(sql, 'child', 'id = 3')
	await keep(sql, 'child')
	const from = await vault.deleteRows(sql, 'child', 'id = 2')
	const to = await vault.deleteRows(sql, 'parent', 'id = 2')
	await keep(sql, 'parent')
	await vault.deleteRows(sql, 'parent', 'id = 3')
	const at = (position: bigint) => formatInstant(committedAt(position))

	const selection = { from: at(from), to: at(to) }
	expect((await preview(scene, { selection })).tables).toMatchObject([{ table: 'child', rows: 1 }])
	const closed = { from: at(from), to: at(to + 1n) }
	expect((await preview(scene, { selection: closed })).tables).toMatchObject([
		{ table: 'child', rows: 1 },
		{ table: 'parent', rows: 1 },
	])
	expect(await restore(scene, { selection: closed })).toMatchObject({ status: 'succeeded', restored: 2, verified: 2 })
	expect(await differences(sql, 'child', ['id'])).toEqual([])
	expect(await sql`select id from public.parent order by id`).toEqual([{ id: 1 }, { id: 2 }])

	const open = { from: at(from) }
	expect((await preview(scene, { selection: open })).tables).toMatchObject([
		{ table: 'child', rows: 1, missing: 0 },
		{ table: 'parent', rows: 2, missing: 1 },
	])
})
