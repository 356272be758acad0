import { migrateControl } from '@reprieve/control'
import { ensurePublications } from '@reprieve/postgres'
import { expect, test } from 'vitest'
import { freshDatabase, postgresVersions, startCluster } from '../support/postgres.ts'

test.each(postgresVersions)('publications are made once and put right on PostgreSQL %i', async (version) => {
	await using cluster = await startCluster(version)
	await using database = await freshDatabase(cluster)
	const { sql } = database
	await migrateControl(database.url)
	const names = ['reprieve', 'reprieve_relink', 'reprieve_move']
	const both = await Promise.all([ensurePublications(sql), ensurePublications(sql)])
	expect(both.map((ensured) => ensured.created.length).sort()).toEqual([0, 3])
	expect(
		await sql`select pubname, pubinsert, pubupdate, pubdelete, pubtruncate, pubviaroot from pg_publication order by pubname`,
	).toMatchObject([
		{ pubname: 'reprieve', pubinsert: false, pubupdate: false, pubdelete: true, pubtruncate: true, pubviaroot: false },
		{ pubname: 'reprieve_move', pubinsert: true, pubupdate: false, pubdelete: false, pubtruncate: false },
		{ pubname: 'reprieve_relink', pubinsert: false, pubupdate: true, pubdelete: false, pubtruncate: false },
	])
	if (version >= 18) expect(await sql`select distinct pubgencols as g from pg_publication`).toEqual([{ g: 's' }])
	expect(
		await sql`select r.prrelid::regclass::text as t, c.relreplident as i from pg_publication_rel r join pg_class c on c.oid = r.prrelid`,
	).toEqual([{ t: 'reprieve.canary', i: 'f' }])

	await sql`alter publication reprieve_move set (publish = 'delete')`
	await sql`alter publication reprieve set (publish_via_partition_root)`
	if (version >= 18) await sql`alter publication reprieve_relink set (publish_generated_columns = none)`
	const repaired = await ensurePublications(sql)
	expect(repaired.repaired.sort()).toEqual(names.filter((name) => version >= 18 || name !== 'reprieve_relink').sort())
	expect(await ensurePublications(sql)).toEqual({ created: [], repaired: [] })
})
