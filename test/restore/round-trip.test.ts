import { expect, test } from 'vitest'
import { differences, keep, openScene, preview, restore } from './scene.ts'

test('a run that deleted a parent and its children is restored exactly, twice the same as once', async () => {
	await using scene = await openScene()
	const { sql, vault } = scene
	await sql`create table public.parent (id int primary key, note text)`
	await sql`create table public.child (id bigint generated always as identity primary key, parent int not null references public.parent, n numeric)`
	await sql`insert into public.parent select n, repeat('x', n) from generate_series(1, 50) n`
	await sql`insert into public.child (parent, n) select 1 + n % 50, n / 7.0 from generate_series(1, 500) n`
	await keep(sql, 'parent')
	await keep(sql, 'child')
	await vault.deleteRows(sql, 'child', 'true', { run: 'r1' })
	await vault.deleteRows(sql, 'parent', 'true', { run: 'r1' })

	const seen = await preview(scene, { selection: { run: 'r1' } })
	expect(seen.tables).toMatchObject([
		{ table: 'child', rows: 500, missing: 500 },
		{ table: 'parent', rows: 50, missing: 50 },
	])
	const done = await restore(scene, { selection: { run: 'r1' } })
	expect(done).toMatchObject({
		status: 'succeeded',
		selected: 550,
		restored: 550,
		verified: 550,
		conflicts: 0,
		progress: 1,
	})
	expect(await differences(sql, 'parent', ['id'])).toEqual([])
	expect(await differences(sql, 'child', ['id'])).toEqual([])

	const again = await restore(scene, { selection: { run: 'r1' } })
	expect(again).toMatchObject({ status: 'succeeded', restored: 0, identical: 550, conflicts: 0 })
	const [next] = await sql`insert into public.child (parent) values (1) returning id`
	expect(next?.id).toBe('501')
})
