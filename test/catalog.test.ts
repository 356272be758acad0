import { describeTables, findTable } from '@reprieve/postgres'
import { expect, test } from 'vitest'
import { freshDatabase } from './support/postgres.ts'

test('describes columns, key and foreign keys as the catalog has them', async () => {
	await using database = await freshDatabase()
	const { sql } = database
	await sql`create table public.a (id int primary key, t text default 'x', g int generated always as (id + 1) stored)`
	await sql`create table public.b (id bigint generated always as identity primary key, a int references public.a on delete cascade)`
	const a = await findTable(sql, { schema: 'public', name: 'a' })
	const b = await findTable(sql, { schema: 'public', name: 'b' })
	const [first, second] = await describeTables(sql, [a?.oid ?? 0, b?.oid ?? 0])
	expect(first).toMatchObject({
		name: 'a',
		key: ['id'],
		columns: [{ name: 'id', notNull: true }, { default: "'x'::text" }, { generated: 's' }],
	})
	expect(second?.foreignKeys).toMatchObject([
		{ onDelete: 'cascade', columns: ['a'], references: { name: 'a', columns: ['id'] } },
	])
})
