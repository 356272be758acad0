import { execFile } from 'node:child_process'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { type Client, createClient } from '@reprieve/client'
import { expect, test } from 'vitest'
import { archivedRows, type CaptureGround, captureGround, publish } from '../capture/ground.ts'
import { freshDatabase, type TestDatabase } from '../support/postgres.ts'
import { until } from '../support/wait.ts'
import { launch, openFolder, type Started, start } from './launcher.ts'

const sidecar = fileURLToPath(new URL('../../apps/sidecar/src/main.ts', import.meta.url))
const workspace = fileURLToPath(new URL('../..', import.meta.url))

test('a rewound database leaves the service up, says what to do, and `pnpm start --adopt` does it', {
	timeout: 120_000,
}, async () => {
	await using database = await freshDatabase()
	const { sql } = database
	await sql`create table public.t (id int primary key)`
	await sql`insert into public.t values (1), (2)`
	await using folder = await openFolder()
	const env = { DATABASE_URL: database.url, REPRIEVE_DATA: folder.path, REPRIEVE_PORT: '0' }
	{
		await using first = start(env, ['--yes'])
		const client = await clientOf(first, folder.path)
		await client.tables.protect({ tables: ['t'], wait: 30 })
		await client.archive.barrier()
		await until(() => acknowledged(database), 'an acknowledgement')
	}
	await rewind(database)
	{
		await using stopped = start(env, ['--yes'])
		const client = await clientOf(stopped, folder.path)
		await until(() => stopped.output().includes('capture has stopped (DATABASE_REWOUND)'), 'the incident')
		expect(stopped.output()).toContain('pnpm start --adopt')
		expect(await client.system.status()).toMatchObject({
			status: 'stopped',
			incidents: [{ code: 'DATABASE_REWOUND', stopsCapture: true }],
		})
	}
	const unasked = start(env, ['--adopt'])
	expect(await unasked.ended).toBe(64)
	expect(await sql`select from reprieve.lineages`).toHaveLength(1)

	await using adopting = start(env, ['--adopt', '--yes'])
	const client = await clientOf(adopting, folder.path)
	expect(adopting.output()).toMatch(/adopted as lineage \S+; not archived: \S+ to \S+/)
	await sql`delete from public.t where id = 2`
	await until(async () => (await client.system.status()).capture.state === 'streaming', 'capture')
	await client.archive.barrier()
	expect((await client.archive.page({ table: 't' })).items.map(({ row }) => row)).toEqual([{ id: 2 }])
	expect(await sql`select reason from reprieve.capture_gaps`).toHaveLength(1)
	expect((await client.system.incidents()).items).toMatchObject([
		{ code: 'DATABASE_REWOUND', resolvedAt: expect.any(String) },
	])
})

test('a sidecar of its own ends with the incident, and goes on after its `adopt`', { timeout: 120_000 }, async () => {
	await using ground = await captureGround()
	const { sql, vault } = ground
	const env = { DATABASE_URL: ground.url, REPRIEVE_VAULT: ground.vaultUrl, REPRIEVE_LOG_LEVEL: 'silent' }
	await sql`create table public.t (id int primary key)`
	await sql`insert into public.t values (1), (2)`
	{
		await using first = launch([sidecar], env)
		await until(() => streaming(ground), 'capture')
		await publish(ground, 'public.t')
		await ground.barrier()
		await until(() => acknowledged(ground), 'an acknowledgement')
		expect(await adoptBy(env)).toEqual([5, expect.stringContaining('CONFLICT: there is nothing to adopt')])
		await sql`insert into reprieve.incidents (id, code, message, remedy, stops_capture, at) values ('i', 'c', 'm', 'r', true, now())`
		expect(await adoptBy(env)).toEqual([5, expect.stringContaining('streams from slot')])
		await sql`delete from reprieve.incidents`
		first.child.kill('SIGTERM')
		expect(await first.ended).toBe(0)
	}
	await rewind(ground)
	const rewound = launch([sidecar], env)
	expect(await rewound.ended).not.toBe(0)
	expect(rewound.output()).toMatch(
		/CAPTURE_GAP: .*rewound or cloned[\s\S]*pnpm --filter @reprieve\/sidecar start adopt/,
	)

	expect(await adoptBy(env)).toEqual([0, expect.stringContaining('adopted as lineage')])
	await using again = launch([sidecar], env)
	await until(() => streaming(ground), 'capture')
	await sql`delete from public.t where id = 1`
	await ground.barrier()
	expect((await archivedRows(vault, 't')).map(({ values }) => values.id)).toEqual(['1'])
	expect(await sql`select from reprieve.capture_gaps`).toHaveLength(1)
	again.child.kill('SIGTERM')
	expect(await again.ended).toBe(0)
})

test('the command that the remedy names is there', async () => {
	const args = ['--filter', '@reprieve/sidecar', 'start', '--help']
	const { stdout } = await promisify(execFile)('pnpm', args, { cwd: workspace })
	expect(stdout).toMatch(/^adopt /m)
})

async function adoptBy(env: Record<string, string>): Promise<[code: number | string, output: string]> {
	const adopting = launch([sidecar, 'adopt'], env)
	return [await adopting.ended, adopting.output()]
}

/** As a restored backup is: the database knows nothing of what the vault was told. */
async function rewind({ sql }: TestDatabase): Promise<void> {
	await sql`update reprieve.lineages set nonce = 'of a backup', previous_nonce = null`
	await sql`update reprieve.capture_state set state = 'stopped'`
}

async function acknowledged({ sql }: TestDatabase): Promise<boolean> {
	return (await sql`select from reprieve.lineages where nonce is not null`).length > 0
}

async function streaming({ sql }: CaptureGround): Promise<boolean> {
	return (await sql`select from reprieve.capture_state where state = 'streaming'`).length > 0
}

async function clientOf(started: Started, folder: string): Promise<Client> {
	const url = await until(
		() => {
			if (started.child.exitCode !== null) throw new Error(started.output())
			return started.output().match(/reprieve runs at (\S+)/)?.[1]
		},
		'the welcome',
		60_000,
	)
	const apiKey = (await readFile(join(folder, 'admin-key'), 'utf8')).trim()
	return createClient({ url, apiKey })
}
