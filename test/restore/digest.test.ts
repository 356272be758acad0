import { expect, test } from 'vitest'
import { digest, examine } from '../../packages/restore/src/index.ts'
import { openScene } from './scene.ts'

test('a selection has the same hash whether its rows came in order or the server puts them in order', async () => {
	await using scene = await openScene()
	const { sql, vault } = scene
	await sql`create table public.t (id int primary key)`
	await sql`insert into public.t select generate_series(1, 30)`
	for (const batch of [0, 1, 2]) await vault.deleteRows(sql, 't', `id % 3 = ${batch}`, { run: 'r' })
	const request = { selection: { run: 'r' }, rename: {}, parents: false } as const
	await sql.begin(async (tx) => {
		const context = { vault, timeline: 1, through: 2n ** 40n }
		const examination = await examine(tx, context, { ...request, conflict: 'skip', triggers: 'suppress' })
		const [table] = examination.tables
		expect(table?.stage?.places?.digest()).toBeDefined()
		const own = await digest(tx, examination)
		table?.stage?.places?.forget()
		expect(await digest(tx, examination)).toBe(own)
		await tx.unsafe(`delete from ${table?.stage?.bookTable} where id = 7`)
		expect(await digest(tx, examination)).not.toBe(own)
	})
})
