import { tagged } from '@reprieve/client/postgres'
import { drizzle } from 'drizzle-orm/postgres-js'
import postgres from 'postgres'
import { expect, test } from 'vitest'
import { freshDatabase } from '../support/postgres.ts'
import { startReprieve } from '../support/reprieve.ts'

const claim = { actor: "o'Brien \\ 'x'", reason: 'günlük temizlik 🧹' }

test('an application names actor and reason of its own deletes, shown as claimed', { timeout: 120_000 }, async () => {
	await using database = await freshDatabase()
	await database.sql`create table public.t (id int primary key)`
	await database.sql`insert into public.t select generate_series(1, 6)`
	await using reprieve = await startReprieve(database)
	const sql = postgres(database.url, { max: 1, onnotice: () => {} })
	const db = drizzle(postgres(database.url, { max: 1, onnotice: () => {} }))
	try {
		await reprieve.client.tables.protect({ tables: ['t'], wait: 60 })
		await tagged(sql, claim, (tx) => tx`delete from t where id = 1`)
		await sql.begin((open) => tagged(open, claim, (tx) => tx`delete from t where id = 2`))
		await tagged(db, claim, (tx) => tx.execute('delete from t where id = 3'))
		await db.transaction((open) => tagged(open, claim, (tx) => tx.execute('delete from t where id = 4')))
		await db.transaction((open) =>
			open.transaction((savepoint) => tagged(savepoint, claim, (tx) => tx.execute('delete from t where id = 6'))),
		)
		await sql`delete from t where id = 5`
		await reprieve.client.archive.barrier({ timeoutMs: 60_000 })
		const changes = await Array.fromAsync(reprieve.client.archive.changes({ table: 't' }))
		const told = Object.fromEntries(
			changes.map(({ key, actor, reason, claimed }) => [key.id, { actor, reason, claimed }]),
		)
		for (const id of [1, 2, 3, 4, 6]) expect(told[id]).toEqual({ ...claim, claimed: true })
		expect(told[5]).toEqual({})
	} finally {
		await Promise.all([sql.end({ timeout: 5 }), db.$client.end({ timeout: 5 })])
	}
})
