import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { type Client, createClient } from '@reprieve/client'
import { compareWithCopy, copyTables } from '@reprieve/standalone/sample'
import postgres from 'postgres'
import { expect, test } from 'vitest'
import { freshDatabase } from '../support/postgres.ts'
import { fillShop } from '../support/sample.ts'
import { until } from '../support/wait.ts'
import { openFolder, type Started, start } from './launcher.ts'

test('killed in the middle of a run, service and capture go on exactly where they were', {
	timeout: 240_000,
}, async () => {
	await using database = await freshDatabase()
	await fillShop(database)
	await using folder = await openFolder()
	const env = { DATABASE_URL: database.url, REPRIEVE_DATA: folder.path, REPRIEVE_PORT: '0' }
	const sql = postgres(database.url, { max: 1, onnotice: () => {} })
	try {
		await copyTables(sql, ['sessions'])
		const first = start(env, ['--yes'])
		const before = await clientOf(first, folder.path)
		await before.tables.protect({ tables: ['sessions'], wait: 60 })
		const plan = await before.plans.create({ kind: 'match', table: 'sessions', where: { and: [] } })
		const { id } = await before.runs.start({ planId: plan.id, reason: 'killed', batch: { rows: 50 } })
		await until(async () => (await before.runs.get(id)).deleted > plan.rows / 10, 'a tenth to be deleted', 60_000)
		first.child.kill('SIGKILL')
		expect(await first.ended).toBe('SIGKILL')
		const [left] = await sql<{ rows: number }[]>`select count(*)::int as rows from sessions`
		expect(left?.rows).toBeGreaterThan(0)

		await using second = start(env, ['--yes'])
		const client = await clientOf(second, folder.path)
		const run = await client.runs.follow(id).finished()
		expect(run).toMatchObject({ status: 'succeeded', deleted: plan.rows, archived: plan.rows, drifted: 0 })
		expect(await sql`select from sessions`).toHaveLength(0)
		const changes = await Array.fromAsync(client.archive.changes({ run: id, limit: 1000 }))
		expect(new Set(changes.map((change) => change.row.id)).size).toBe(plan.rows)
		expect(changes).toHaveLength(plan.rows)

		const selection = { run: id }
		const { hash } = await client.restores.preview({ selection })
		await (await client.restores.start({ selection, hash, reason: 'back' })).finished()
		expect(await compareWithCopy(sql, 'sessions')).toMatchObject({
			identical: plan.rows,
			changed: 0,
			missing: 0,
			added: 0,
		})
	} finally {
		await sql.end({ timeout: 5 })
	}
})

test('somebody’s own database is changed only with consent, and ends cleanly', { timeout: 120_000 }, async () => {
	await using database = await freshDatabase()
	await using folder = await openFolder()
	const env = { DATABASE_URL: database.url, REPRIEVE_DATA: folder.path, REPRIEVE_PORT: '0' }
	const unasked = start(env)
	expect(await unasked.ended).toBe(64)
	expect(unasked.output()).toContain('schema "reprieve"')
	expect(unasked.output()).toContain('Nothing was changed')
	const [found] = await database.sql`
		select to_regnamespace('reprieve') is null as "noSchema", not exists (select from pg_publication) as "noPublication"`
	expect(found).toEqual({ noSchema: true, noPublication: true })

	await using asked = start(env, ['--yes'])
	const client = await clientOf(asked, folder.path)
	expect((await client.tables.list()).items).toEqual([])
	asked.child.kill('SIGTERM')
	expect(await asked.ended).toBe(0)
})

test('a publication of all tables that is not ours stops the start, unless it is acknowledged', {
	timeout: 60_000,
}, async () => {
	await using database = await freshDatabase()
	await using folder = await openFolder()
	await database.sql`create publication everything for all tables`
	const refused = start({ DATABASE_URL: database.url, REPRIEVE_DATA: folder.path, REPRIEVE_PORT: '0' }, ['--yes'])
	expect(await refused.ended).toBe(5)
	expect(refused.output()).toContain('--acknowledge-publication everything')
})

async function clientOf(started: Started, folder: string): Promise<Client> {
	const url = await until(
		() => {
			if (started.child.exitCode !== null) throw new Error(started.output())
			return started.output().match(/reprieve runs at (\S+)/)?.[1]
		},
		'the service',
		60_000,
	)
	return createClient({ url, apiKey: (await readFile(join(folder, 'admin-key'), 'utf8')).trim() })
}
