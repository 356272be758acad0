import { expect, test } from 'vitest'
import { findChanges } from '../../apps/service/src/archive/changes.ts'
import { admin } from '../support/services.ts'
import { openScene, restore, type Scene } from './scene.ts'

/** Rows 1 and 2 were deleted at one place of the log, each on a timeline of its own; row 3 on both. */
async function oneOnEach(scene: Scene): Promise<void> {
	const { sql, vault } = scene
	await sql`create table public.t (id int primary key, note text)`
	await sql`insert into public.t values (1, 'first'), (2, 'second'), (3, 'older')`
	const older = await vault.copy(sql, 't', 'id in (1, 3)')
	await sql`update public.t set note = 'newer' where id = 3`
	const newer = await vault.copy(sql, 't', 'id in (2, 3)')
	await sql`delete from public.t`
	await vault.onSecondTimeline(newer, await vault.transaction(older))
}

const rows = ({ sql }: Scene) => sql`select id, note from public.t order by id`

const changesOf = async ({ services }: Scene) => (await findChanges(services, admin, { table: 't' })).items

const all = [
	{ id: 1, note: 'first' },
	{ id: 2, note: 'second' },
	{ id: 3, note: 'newer' },
]

test('changes at one place of two timelines are restored together, of one key the newer', async () => {
	await using scene = await openScene()
	await oneOnEach(scene)
	const done = await restore(scene, { selection: { table: 't' } })
	expect(done).toMatchObject({ status: 'succeeded', restored: 3, verified: 3 })
	expect(await rows(scene)).toEqual(all)
})

test('changes at one place of two timelines are told apart where they go through stages', async () => {
	await using scene = await openScene()
	await oneOnEach(scene)
	await scene.sql.unsafe(`create function public.stay() returns trigger language plpgsql as 'begin return new; end';
		create trigger stay before insert on public.t for each row execute function public.stay();
		alter table public.t enable always trigger stay`)
	const done = await restore(scene, { selection: { table: 't' } })
	expect(done).toMatchObject({ status: 'succeeded', restored: 3, verified: 3 })
	expect(await rows(scene)).toEqual(all)
})

test('changes that are picked from two timelines at one place are each restored once', async () => {
	await using scene = await openScene()
	await oneOnEach(scene)
	const changes = (await changesOf(scene)).map(({ id }) => id)
	expect(new Set(changes).size).toBe(4)
	expect(await restore(scene, { selection: { changes } })).toMatchObject({ status: 'succeeded', restored: 3 })
	expect(await rows(scene)).toEqual(all)
})

test('a change of one timeline is restored without what the other has at its place', async () => {
	await using scene = await openScene()
	await oneOnEach(scene)
	const changes = (await changesOf(scene)).filter(({ row }) => row.note === 'older').map(({ id }) => id)
	expect(await restore(scene, { selection: { changes } })).toMatchObject({ status: 'succeeded', restored: 1 })
	expect(await rows(scene)).toEqual([{ id: 3, note: 'older' }])
})
