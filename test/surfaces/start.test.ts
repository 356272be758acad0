import { mkdtemp, readFile, rm, stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { startService } from '@reprieve/service'
import { openVaultAt } from '@reprieve/vault'
import { expect, test } from 'vitest'
import { freshDatabase } from '../support/postgres.ts'
import { adminKey, configFor, startTestService } from './support.ts'

test.each([1, 2, 3, 4, 5, 6])(
	'two services that start at once on one folder and database agree on keys (%i)',
	async () => {
		await using database = await freshDatabase()
		const data = await mkdtemp(join(tmpdir(), 'reprieve-service-'))
		const config = { ...configFor(database.url, data), adminKey: undefined }
		const [left, right] = await Promise.all([startService(config), startService(config)])
		try {
			const key = (await readFile(join(data, 'admin-key'), 'utf8')).trim()
			expect(key).toMatch(/^rk_[\w-]{43}$/)
			for (const name of ['admin-key', 'signing-key']) expect((await stat(join(data, name))).mode & 0o777).toBe(0o600)
			for (const { url } of [left, right]) {
				const answer = await fetch(`${url}/api/v1/system/status`, { headers: { authorization: `Bearer ${key}` } })
				expect(answer.status).toBe(200)
			}
			expect(left.services.signer.keyId).toBe(right.services.signer.keyId)
			const keys = await openVaultAt(config.vault, database.name).keys()
			expect(keys.map(({ id }) => id)).toEqual([left.services.signer.keyId])
		} finally {
			await Promise.all([left.stop(), right.stop()])
			await rm(data, { recursive: true, force: true })
		}
	},
)

test('the first admin key is stored once: another in the configuration replaces nothing', async () => {
	await using database = await freshDatabase()
	await (await startTestService(database))[Symbol.asyncDispose]()
	await using service = await startTestService(database, { adminKey: 'another-admin-key-0123456789-012345' })
	expect((await service.call('GET', '/api/v1/system/status', undefined, { key: adminKey })).status).toBe(200)
	const other = await service.call('GET', '/api/v1/system/status', undefined, {
		key: 'another-admin-key-0123456789-012345',
	})
	expect(other.status).toBe(401)
})

test('a start that fails leaves nothing open', async () => {
	await using database = await freshDatabase()
	await using service = await startTestService(database)
	const port = Number(new URL(service.url).port)
	await expect(startTestService(database, { port })).rejects.toThrow(/EADDRINUSE/)
	const sessions = await database.sql`
		select application_name from pg_stat_activity where datname = current_database() and application_name like 'reprieve %'
		group by application_name having count(distinct pid) > 8`
	expect(sessions).toEqual([])
})

test('a stop cuts event streams at once and ends within a second', async () => {
	await using database = await freshDatabase()
	await using service = await startTestService(database)
	await database.sql`
		insert into reprieve.runs (id, plan_id, status, "table", reason, actor, planned, batch_rows, target_ms, exposure_rows, created_at)
		values ('r1', 'p1', 'paused', 't', 'x', 'x', 1, 1, 1, 1, now())`
	const input = encodeURIComponent(JSON.stringify({ id: 'r1' }))
	const headers = { authorization: `Bearer ${adminKey}`, accept: 'text/event-stream' }
	const stream = await fetch(`${service.url}/trpc/v1/runs.watch?input=${input}`, { headers })
	const reader = (stream.body as ReadableStream<Uint8Array>).getReader()
	const decoder = new TextDecoder()
	let text = ''
	while (!text.includes('"status":"paused"')) text += decoder.decode((await reader.read()).value)
	expect(text).toMatch(/\nid: [\w-]{22}\n/)
	const before = performance.now()
	await service.service.stop()
	expect(performance.now() - before).toBeLessThan(2_000)
	await expect(readToEnd(reader)).rejects.toThrow()
})

test('a watcher that reconnects with the state it saw gets nothing twice', async () => {
	await using database = await freshDatabase()
	await using service = await startTestService(database)
	await database.sql`
		insert into reprieve.runs (id, plan_id, status, "table", reason, actor, planned, batch_rows, target_ms, exposure_rows, created_at)
		values ('r1', 'p1', 'succeeded', 't', 'x', 'x', 1, 1, 1, 1, now())`
	const headers = { authorization: `Bearer ${adminKey}`, accept: 'text/event-stream' }
	const watch = async (lastEventId?: string) => {
		const input = encodeURIComponent(JSON.stringify({ id: 'r1', lastEventId }))
		return await (await fetch(`${service.url}/trpc/v1/runs.watch?input=${input}`, { headers })).text()
	}
	const first = await watch()
	const id = /\nid: ([\w-]{22})\n/.exec(first)?.[1]
	expect(first).toContain('"status":"succeeded"')
	expect(await watch(id)).not.toContain('"status"')
})

async function readToEnd(reader: ReadableStreamDefaultReader<Uint8Array>): Promise<void> {
	while (!(await reader.read()).done);
}
