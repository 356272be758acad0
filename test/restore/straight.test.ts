import { expect, test } from 'vitest'
import { getRestore } from '../../apps/service/src/restores/get.ts'
import { startRestore } from '../../apps/service/src/restores/start.ts'
import { claimRestore } from '../../apps/service/src/restores/worker/claim.ts'
import { executeRestore } from '../../apps/service/src/restores/worker/execute.ts'
import { reportedRows } from '../../packages/restore/src/execute/shares.ts'
import { admin } from '../support/services.ts'
import { differences, keep, openScene, preview, restore, type Scene, work } from './scene.ts'

const byRun = { selection: { run: 'r' } }

/** A restore of all rows of public.t in batches of ten, queued. */
async function queued(scene: Scene, options: { conflict?: 'skip' } = {}): Promise<string> {
	await keep(scene.sql, 't')
	await scene.vault.deleteRows(scene.sql, 't', 'true', { run: 'r' })
	const input = { ...byRun, ...options }
	const { hash } = await preview(scene, input)
	const restoring = { ...input, hash, reason: 'test' }
	return (await startRestore(scene.services, admin, restoring, { batchRows: 10 })).id
}

/** Numbers of report rows that were written each by itself, and all at once. */
async function written({ sql }: Scene): Promise<[number, number]> {
	const [row] = await sql<{ single: number; whole: number }[]>`
		select (select count(*)::int4 from reprieve.restored_rows) as single,
			(select coalesce(sum(cardinality(seqs)), 0)::int4 from reprieve.restored_shares where version is not null) as whole`
	return [row?.single ?? -1, row?.whole ?? -1]
}

test('rows with nothing in their way are copied straight in, and the report has the key and version of each', async () => {
	await using scene = await openScene()
	const { sql } = scene
	await sql.unsafe(`create table public.t (code text, since timestamptz, note text, primary key (since, code));
		insert into public.t select format(E'%s,"{}'' \\\\ NULL\\té', n), '2024-03-31 02:30+01'::timestamptz + n * interval '1 s',
			nullif(n, 7)::text from generate_series(1, 95) n;
		insert into public.t values ('', 'infinity', '')`)
	const id = await queued(scene)
	expect(await work(scene, id)).toMatchObject({ status: 'succeeded', restored: 96, verified: 96, conflicts: 0 })
	expect(await differences(sql, 't', ['since', 'code'])).toEqual([])
	expect(await written(scene)).toEqual([0, 96])
	const kept = await sql`select from ${sql.unsafe(reportedRows)} r join public.t on t.code = r.key ->> 'code'
			and t.since = (r.key ->> 'since')::timestamptz and t.xmin::text = r.version
		where r.state = 'restored' and r.restore_id = ${id} and r."table" = 't'`
	expect(kept).toHaveLength(96)
})

test('rows that lie in the table otherwise than in the list are read back by their keys', async () => {
	await using scene = await openScene()
	const { sql } = scene
	await sql.unsafe(`create table public.t (id int primary key, note text);
		insert into public.t select n, repeat('x', 1500) from generate_series(1, 40) n;
		create table public.parted (id int primary key, note text) partition by hash (id);
		create table public.one partition of public.parted for values with (modulus 2, remainder 0);
		create table public.other partition of public.parted for values with (modulus 2, remainder 1);
		insert into public.parted select n, 'row' from generate_series(1, 40) n`)
	for (const table of ['t', 'parted']) await keep(sql, table)
	await scene.vault.deleteRows(sql, 't', 'id <= 39', { run: 'r' })
	await scene.vault.deleteRows(sql, 'parted', 'true', { run: 's' })
	await sql`vacuum public.t`
	// Room is given out from one page on and round again: this row has the first page, so that the last ones to come go there.
	await sql`insert into public.t values (1000, 'beside')`
	await sql`insert into kept.t values (1000, 'beside')`
	expect(await restore(scene, byRun)).toMatchObject({ status: 'succeeded', restored: 39, verified: 39 })
	const parted = await restore(scene, { selection: { run: 's' } })
	expect(parted).toMatchObject({ status: 'succeeded', restored: 40, verified: 40 })
	expect(await sql`select from public.t a join public.t b on a.id < b.id and a.ctid > b.ctid limit 1`).toHaveLength(1)
	expect(await sql`select distinct tableoid from public.parted`).toHaveLength(2)
	for (const table of ['t', 'parted']) expect(await differences(sql, table, ['id'])).toEqual([])
	expect(await written(scene)).toEqual([0, 79])
})

test('rows that read back as another text go through stages, which compare them as PostgreSQL does', async () => {
	await using scene = await openScene()
	const { sql, vault } = scene
	await sql`create table public.t (id int primary key, doc jsonb)`
	await sql`insert into public.t select n, '{"a": 1}' from generate_series(1, 3) n`
	await keep(sql, 't')
	const rows = await vault.copy(sql, 't', 'true')
	await sql`delete from public.t`
	await vault.transaction(
		rows.map((row) => ({ ...row, values: [row.values[0] ?? null, '{"a":1}'] })),
		{ run: 'r' },
	)
	expect(await restore(scene, byRun)).toMatchObject({ status: 'succeeded', restored: 3, verified: 3, conflicts: 0 })
	expect(await differences(sql, 't', ['id'])).toEqual([])
	expect(await written(scene)).toEqual([3, 0])
})

test('where a row came in the way meanwhile its batch and those behind it go through stages', async () => {
	await using scene = await openScene()
	const { sql } = scene
	await sql`create table public.t (id int primary key, note text)`
	await sql`insert into public.t select n, 'row' from generate_series(1, 50) n`
	const id = await queued(scene, { conflict: 'skip' })
	await sql`insert into public.t values (25, 'newer')`
	expect(await work(scene, id)).toMatchObject({ status: 'succeeded', restored: 49, verified: 49, skipped: 1 })
	expect(await written(scene)).toEqual([30, 20])
	expect(await sql`select id from public.t where note = 'newer'`).toEqual([{ id: 25 }])
})

test('what another restore brings back while a batch is copied in is not brought back again', async () => {
	await using scene = await openScene()
	const { sql, services } = scene
	await sql`create table public.t (id int primary key)`
	await sql`insert into public.t select generate_series(1, 5)`
	const id = await queued(scene)
	const { hash } = await preview(scene, byRun)
	const quicker = await startRestore(services, admin, { ...byRun, hash, reason: 'test' })
	const slow = await claimRestore(services, 'slow', 30_000)
	expect(slow?.lease.id).toBe(id)
	const { transactions } = scene.vault
	let isFirst = true
	const vault = {
		...scene.vault,
		transactions: {
			...transactions,
			async *read(query: Parameters<typeof transactions.read>[0]) {
				if (query.exact && isFirst) {
					isFirst = false
					expect(await work(scene, quicker.id)).toMatchObject({ status: 'succeeded', restored: 5 })
					await sql`update public.t set id = id + 100`
				}
				yield* transactions.read(query)
			},
		},
	}
	await executeRestore({ ...services, vault }, slow as NonNullable<typeof slow>, new AbortController().signal)
	const ended = await getRestore(services, admin, { id })
	expect(ended).toMatchObject({ status: 'succeeded', restored: 0, skipped: 5 })
	expect(await sql`select from public.t where id < 100`).toEqual([])
})

test('under skip the rows that live rows are in the way of come last, in batches of their own', async () => {
	await using scene = await openScene()
	const { sql, vault } = scene
	await sql`create table public.t (id int primary key, note text)`
	await sql`insert into public.t select n, 'row' from generate_series(1, 50) n`
	await vault.deleteRows(sql, 't', 'true', { run: 'r' })
	await sql`insert into public.t select n, 'newer' from generate_series(7, 50, 7) n`
	const input = { ...byRun, conflict: 'skip' as const }
	const { hash } = await preview(scene, input)
	const { id } = await startRestore(scene.services, admin, { ...input, hash, reason: 'test' }, { batchRows: 10 })
	expect(await work(scene, id)).toMatchObject({ status: 'succeeded', restored: 43, verified: 43, skipped: 7 })
	expect(await written(scene)).toEqual([7, 43])
	expect(await sql`select from public.t where note = 'newer'`).toHaveLength(7)
})
