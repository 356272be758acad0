import type { Restore } from '@reprieve/contracts'
import { expect, test } from 'vitest'
import { startRestore } from '../../apps/service/src/restores/start.ts'
import { readReferences } from '../../packages/restore/src/catalog/references.ts'
import { pointsAt } from '../../packages/restore/src/preview/parents.ts'
import { startCluster } from '../support/postgres.ts'
import { admin } from '../support/services.ts'
import { openScene, preview, type Scene, work } from './scene.ts'

const run = { selection: { run: 'r' } }

/** Attaches a partition when the catalog was read and before anything is written: when the batch's tag is signed. */
function attachOnTag({ sql, services }: Scene): void {
	const { signer } = services
	let isAttached = false
	services.signer = new Proxy(signer, {
		get(of, name) {
			if (!isAttached) void sql`alter table public.t attach partition public.t2 for values from (10) to (20)`.execute()
			isAttached = true
			return Reflect.get(of, name)
		},
	})
}

/** Restores the run; `between` is what others do when it is listed and before it writes. */
async function restoreAfter(scene: Scene, between: () => PromiseLike<unknown>): Promise<Restore> {
	const { hash } = await preview(scene, run)
	const queued = await startRestore(scene.services, admin, { ...run, hash, reason: 'test' })
	await between()
	return await work(scene, queued.id)
}

test('a composite value with a NULL in it needs its parent', async () => {
	await using scene = await openScene()
	const { sql, vault } = scene
	await sql`create type public.place as (a int, b int)`
	await sql`create table public.parent (code public.place primary key)`
	await sql`create table public.t (id int primary key, parent public.place references public.parent)`
	await sql`insert into public.parent values (row(1, null))`
	await sql`insert into public.t values (1, row(1, null))`
	await vault.deleteRows(sql, 't', 'true', { run: 'r' })
	const done = await restoreAfter(scene, () => sql`delete from public.parent`)
	expect(done).toMatchObject({ status: 'failed', failure: { code: 'PARENT_MISSING' }, restored: 0 })
	expect((await preview(scene, run)).parents).toHaveLength(1)
})

test('a parent is the same under its own collation, not under the child', async () => {
	// PostgreSQL 18 refuses a foreign key between a deterministic collation and one that is not.
	await using cluster = await startCluster(17)
	await using scene = await openScene(cluster)
	const { sql, vault } = scene
	await sql`create collation public.ci (provider = icu, locale = 'und-u-ks-level2', deterministic = false)`
	await sql`create table public.parent (code text primary key)`
	await sql`create table public.t (id int primary key, parent text collate public.ci references public.parent)`
	await sql`insert into public.parent values ('A')`
	await sql`insert into public.t values (1, 'A')`
	await vault.deleteRows(sql, 't', 'true', { run: 'r' })
	const done = await restoreAfter(scene, () => sql`update public.parent set code = 'a'`)
	expect(done).toMatchObject({ status: 'failed', failure: { code: 'PARENT_MISSING' }, restored: 0 })
})

test.each([
	['text', 'text collate "C"'],
	['char(8)', 'text'],
	['text', 'varchar(20)'],
	['bigint', 'smallint'],
	['int[]', 'int[]'],
	['int4range', 'int4range'],
])('parents of type %s are found by their index for a child of type %s', async (parent, child) => {
	await using scene = await openScene()
	const { sql } = scene
	await sql.unsafe(`create table public.parent (code ${parent} primary key)`)
	await sql.unsafe(`create table public.t (id int primary key, parent ${child} references public.parent)`)
	const [table] = await sql<{ oid: number }[]>`select 'public.t'::regclass::oid::int4 as oid`
	const [reference] = await readReferences(sql, [table?.oid ?? 0])
	if (!reference) throw new Error('the foreign key was not read')
	await sql`set enable_seqscan = off`
	const plan = await sql.unsafe(
		`explain select from public.t w cross join lateral (select from only public.parent p where ${pointsAt(reference, 'p', 'w')} for key share) h`,
	)
	const lines = plan.map((row) => row['QUERY PLAN']).join('\n')
	expect(lines).toMatch(/using parent_pkey|on parent_pkey/)
})

test('a partition that is attached while rows are written has its own foreign keys checked', async () => {
	await using scene = await openScene()
	const { sql, vault } = scene
	await sql`create table public.parent (id int primary key)`
	await sql`create table public.other (id int primary key)`
	await sql`insert into public.parent values (1)`
	await sql`insert into public.other values (1)`
	await sql`create table public.t (id int primary key, parent int references public.parent, other int) partition by range (id)`
	await sql`create table public.t1 partition of public.t for values from (0) to (10)`
	await sql`create table public.t2 partition of public.t for values from (10) to (20)`
	await sql`alter table public.t2 add foreign key (other) references public.other`
	await sql`insert into public.t values (11, 1, 1)`
	await vault.deleteRows(sql, 't', 'true', { run: 'r' })
	await sql`alter table public.t detach partition public.t2`
	const done = await restoreAfter(scene, async () => {
		await sql`delete from public.other`
		attachOnTag(scene)
	})
	expect(done).toMatchObject({ status: 'failed', failure: { code: 'PARENT_MISSING' }, restored: 0 })
	expect(await sql`select from public.t2`).toHaveLength(0)
})

test('a deferrable constraint that only a partition has so far is checked', async () => {
	await using scene = await openScene()
	const { sql, vault } = scene
	await sql`create table public.parent (id int primary key)`
	await sql`insert into public.parent values (1)`
	await sql`create table public.t (at int, id int, code int, parent int references public.parent, primary key (at, id))
		partition by list (at)`
	await sql`create table public.t1 partition of public.t for values in (1)`
	await sql`create table public.t2 partition of public.t for values in (2)`
	await sql`alter table only public.t add constraint u unique (at, code) deferrable`
	await sql`alter table public.t1 add constraint u1 unique (at, code) deferrable initially deferred`
	await sql`alter index public.u attach partition public.u1`
	await sql`insert into public.t values (1, 1, 7, 1)`
	await vault.deleteRows(sql, 't', 'true', { run: 'r' })
	const done = await restoreAfter(scene, () => sql`insert into public.t values (1, 2, 7, 1)`)
	expect(done).toMatchObject({ status: 'failed', failure: { code: 'CONFLICT' }, restored: 0 })
	expect(await sql`select from public.t`).toHaveLength(1)
})
