import { migrateControl } from '@reprieve/control'
import { expect, test } from 'vitest'
import { freshDatabase } from '../support/postgres.ts'
import { schemaText } from './schema-text.ts'

test('the dump beside the migrations is the migrated schema', async () => {
	await using database = await freshDatabase()
	await migrateControl(database.url)
	await expect(await schemaText(database.sql)).toMatchFileSnapshot('../../packages/control/schema.sql')
})

test('migrating twice, and from two processes at once, is the same as once', async () => {
	await using database = await freshDatabase()
	await Promise.all([migrateControl(database.url), migrateControl(database.url)])
	const once = await schemaText(database.sql)
	await migrateControl(database.url)
	expect(await schemaText(database.sql)).toBe(once)
})

test('a schema of a newer release is refused and left as it is', async () => {
	await using database = await freshDatabase()
	await migrateControl(database.url)
	await database.sql`insert into reprieve.migrations (hash, created_at) values ('later', 9999999999999)`
	await expect(migrateControl(database.url)).rejects.toMatchObject({ code: 'CONFLICT' })
})

test('every control table has a primary key, is logged and uses built-in types alone', async () => {
	await using database = await freshDatabase()
	await migrateControl(database.url)
	const odd = await database.sql`
		select c.relname from pg_class c join pg_namespace n on n.oid = c.relnamespace
		where n.nspname = 'reprieve' and c.relkind = 'r' and (
			c.relpersistence <> 'p'
			or not exists (select from pg_index i where i.indrelid = c.oid and i.indisprimary)
			or exists (select from pg_attribute a join pg_type t on t.oid = a.atttypid
				where a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped and t.typnamespace <> 'pg_catalog'::regnamespace))`
	expect(odd).toEqual([])
})
