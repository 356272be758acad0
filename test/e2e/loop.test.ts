import { randomBytes } from 'node:crypto'
import { createClient } from '@reprieve/client'
import { compareWithCopy, copyTables } from '@reprieve/standalone/sample'
import postgres from 'postgres'
import { expect, test } from 'vitest'
import { freshDatabase } from '../support/postgres.ts'
import { startReprieve } from '../support/reprieve.ts'
import { bucketEnvironment } from '../support/s3/bucket.ts'
import { hasS3 } from '../support/s3/shared.ts'
import { fillShop } from '../support/sample.ts'
import { openFolder, reprieve } from './launcher.ts'

const size = { customers: 1_500, orders: 600, sessions: 900, today: '2026-11-22' }

/** Where the vault lies, as the service's variables say it. */
const vaults: [string, () => Promise<Record<string, string>>][] = [['a vault in a folder', async () => ({})]]
if (hasS3)
	vaults.push([
		'an encrypted vault in a bucket',
		async () => ({
			...(await bucketEnvironment()),
			REPRIEVE_VAULT_KEY: `k1:${randomBytes(32).toString('hex')}`,
		}),
	])

test.each(vaults)(
	'REST, the typed client and the command line see and do the same over %s',
	{ timeout: 600_000 },
	async (_, vaultOf) => {
		await using database = await freshDatabase()
		await fillShop(database, size)
		await using running = await startReprieve(database, await vaultOf())
		const { url } = running.service
		const sql = postgres(database.url, { max: 1, onnotice: () => {} })
		const env = { REPRIEVE_URL: url, REPRIEVE_API_KEY: running.adminKey }
		const rest = restOf(url, running.adminKey)
		try {
			await copyTables(sql, ['sessions', 'customers'])
			const client = createClient({ url, apiKey: running.adminKey })

			const protect = await reprieve(env, '--json', 'protect', 'sessions', 'customers', '--wait', '60')
			expect(protect).toMatchObject({ code: 0, errors: '' })
			expect(JSON.parse(protect.output)).toMatchObject({ tables: [{ restorability: { status: 'ready' } }, {}] })

			const dryRun = await rest('POST', '/api/cleanup/duplicates', {
				table: 'customers',
				key: [{ column: 'email', normalise: 'lower' }],
				keep: 'oldest',
				by: 'created_at',
				dryRun: true,
			})
			expect(dryRun).toMatchObject({ status: 200, body: { status: 'ready', table: 'customers' } })
			const [counted] =
				await sql`select count(*) - count(distinct lower(email)) as rows from customers where email is not null`
			expect(dryRun.body.rows).toBe(Number(counted?.rows))
			expect(await client.plans.get(dryRun.body.id as string)).toMatchObject({ hash: dryRun.body.hash })

			const window = { from: timeOfDay(-1), to: timeOfDay(2), timeZone: 'UTC' }
			const throttled = ['--rows-per-second', '1000000', '--log-per-second', '1000000000', '--wait-for-vacuum']
			const inWindow = ['--window', `${window.from}-${window.to}`, '--time-zone', 'UTC']
			const start = ['run', dryRun.body.id as string, '--reason', 'dup', ...throttled, ...inWindow]
			const ran = await reprieve(env, '--json', ...start)
			expect({ code: ran.code, errors: ran.errors }).toEqual({ code: 0, errors: '' })
			const run = JSON.parse(ran.output) as { id: string; deleted: number; archived: number; relinked: number }
			const throttle = { rowsPerSecond: 1e6, logBytesPerSecond: 1e9, waitForVacuum: true, window }
			expect(run).toMatchObject({ status: 'succeeded', drifted: 0, throttle })

			const stale = await client.cleanup.stale({ table: 'sessions', column: 'last_seen_at', olderThan: 'P90D' })
			const states = await Array.fromAsync(stale.progress())
			expect(states.at(-1)).toMatchObject({ status: 'succeeded' })

			const found = await rest('POST', '/api/v1/archive/search', { run: run.id, table: 'customers', limit: 1000 })
			expect(found.body.items).toHaveLength((dryRun.body.rows as number) + run.relinked)
			expect((await client.archive.page({ run: run.id, table: 'customers', limit: 1000 })).items).toEqual(
				found.body.items,
			)

			const backByCli = await reprieve(env, '--json', 'restore', '--run', run.id, '--reason', 'undo', '--yes')
			expect({ code: backByCli.code, errors: backByCli.errors }).toEqual({ code: 0, errors: '' })
			expect(JSON.parse(backByCli.output)).toMatchObject({ status: 'succeeded', restored: run.deleted })

			const preview = await rest('POST', '/api/v1/restores/preview', { selection: { run: stale.id } })
			const started = await rest('POST', '/api/v1/restores', {
				selection: { run: stale.id },
				hash: preview.body.hash,
				reason: 'undo',
			})
			expect(started.status).toBe(202)
			const final = await rest('GET', `/api/v1/restores/${started.body.id}?wait=60`)
			expect(final.body).toMatchObject({ status: 'succeeded', conflicts: 0 })
			for (const table of ['sessions', 'customers']) {
				expect(await compareWithCopy(sql, table)).toMatchObject({ changed: 0, missing: 0, added: 0 })
			}
		} finally {
			await sql.end({ timeout: 5 })
		}
	},
)

test('the command line refuses by code, hint and exit code', { timeout: 120_000 }, async () => {
	await using database = await freshDatabase()
	await using running = await startReprieve(database)
	const env = { REPRIEVE_URL: running.service.url, REPRIEVE_API_KEY: running.adminKey }
	const missing = await reprieve(env, 'plans', '00000000-0000-0000-0000-000000000000')
	expect(missing).toMatchObject({ code: 4, output: '' })
	expect(missing.errors).toMatch(/^NOT_FOUND: /)
	expect(await reprieve({ ...env, REPRIEVE_API_KEY: 'wrong' }, 'status')).toMatchObject({ code: 3 })
	expect(await reprieve(env, 'plan', 'rubbish', 't')).toMatchObject({ code: 2 })
	expect(await reprieve(env, 'no-such-verb')).toMatchObject({ code: 2 })
	const asJson = await reprieve(env, '--json', 'plan', 'stale', 'absent', '--column', 'c', '--older-than', 'P1D')
	expect(asJson.code).toBe(4)
	expect(JSON.parse(asJson.errors)).toMatchObject({ code: 'NOT_FOUND', retryable: false })
	await using folder = await openFolder()
	const keyless = await reprieve({ REPRIEVE_URL: running.service.url, REPRIEVE_DATA: folder.path }, 'status')
	expect(keyless).toMatchObject({ code: 3 })
	expect(keyless.errors).toContain('Set REPRIEVE_API_KEY')
})

type Answer = { status: number; body: Record<string, unknown> & { items?: unknown[] } }

function restOf(url: string, key: string) {
	return async (method: string, path: string, body?: object): Promise<Answer> => {
		const response = await fetch(`${url}${path}`, {
			method,
			headers: { authorization: `Bearer ${key}`, ...(body ? { 'content-type': 'application/json' } : {}) },
			body: body && JSON.stringify(body),
		})
		return { status: response.status, body: (await response.json()) as Answer['body'] }
	}
}

/** The time of day so many hours from now, UTC. */
function timeOfDay(hours: number): string {
	return new Date(Date.now() + hours * 3_600_000).toISOString().slice(11, 16)
}
