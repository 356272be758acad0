import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { expect, test } from 'vitest'
import { freshDatabase, type TestDatabase } from '../support/postgres.ts'
import { startReprieve, type TestReprieve } from '../support/reprieve.ts'

/**
 * One transaction that deletes very many rows. REPRIEVE_TEST_LARGE_ROWS says how many (default 1,000,000): with 5,000,000
 * the test takes minutes, and shows the same bound on memory.
 */
const rows = Number(process.env.REPRIEVE_TEST_LARGE_ROWS ?? 1_000_000)
const timeout = 120_000 + rows / 5

/** Most memory that the archiving process may have held, whatever the transaction's size. */
const memoryLimitMb = 900

test(`${rows} rows deleted in one transaction are archived, counted and restored`, { timeout }, async () => {
	await using database = await freshDatabase()
	const { sql } = database
	await sql.unsafe('create table public.t (id int primary key, v int8, note text)')
	await sql.unsafe(`insert into public.t select i, i::int8 * 7919, 'n' || i % 1000 from generate_series(1, ${rows}) i`)
	await sql.unsafe('create schema kept; create table kept.t as select * from public.t')
	await using archiver = await startArchiver(database)
	await using reprieve = await startReprieve(database, { REPRIEVE_VAULT: archiver.vaultUrl }, archiver.start)
	const { tables } = await reprieve.client.tables.protect({ tables: ['t'], wait: 60 })
	expect(tables[0]?.restorability).toEqual({ status: 'ready', findings: [] })

	const times: Record<string, number> = {}
	await timed(times, 'delete', () => sql.unsafe('delete from public.t'))
	await timed(times, 'archive', () => reprieve.client.archive.barrier({ timeoutMs: 600_000 }))
	const { items } = await reprieve.client.archive.page({ table: 't', limit: 1 })
	expect(await reprieve.client.tables.get('t')).toMatchObject({ archivedRows: rows, gaps: [] })
	expect(await archiver.peakMemoryMb()).toBeLessThan(memoryLimitMb)

	await timed(times, 'restore', () => restoreAll(reprieve, items[0]?.transaction ?? ''))
	expect(
		await sql.unsafe(`select count(*)::int as different from kept.t k full join public.t t using (id)
			where t is null or k is null or not record_image_eq(k, t)`),
	).toEqual([{ different: 0 }])
	process.stdout.write(`${rows} rows: ${JSON.stringify({ ...times, peakMb: await archiver.peakMemoryMb() })}\n`)
})

async function timed(times: Record<string, number>, what: string, act: () => PromiseLike<unknown>): Promise<void> {
	const began = performance.now()
	await act()
	times[what] = Math.round((performance.now() - began) / 100) / 10
}

async function restoreAll({ client }: TestReprieve, transaction: string): Promise<void> {
	const selection = { transaction }
	const preview = await client.restores.preview({ selection })
	expect(preview.tables[0]).toMatchObject({ rows, missing: rows })
	const restore = await client.restores.start({ selection, hash: preview.hash, reason: 'all of it back' })
	expect(await restore.finished()).toMatchObject({ status: 'succeeded', restored: rows, verified: rows })
}

/** Capture and archive in a process of their own, whose memory is theirs alone. */
async function startArchiver(database: TestDatabase) {
	const folder = await mkdtemp(join(tmpdir(), 'reprieve-large-'))
	const vaultUrl = pathToFileURL(folder).href
	const config = JSON.stringify({ databaseUrl: database.url, vaultUrl, database: database.name })
	const program = fileURLToPath(new URL('../capture/child.ts', import.meta.url))
	let pid: number | undefined
	return {
		vaultUrl,
		async start() {
			const child = spawn(process.execPath, [program, config], { stdio: ['ignore', 'pipe', 'inherit'] })
			pid = child.pid
			const exited = once(child, 'exit')
			const { promise: streaming, resolve } = Promise.withResolvers<void>()
			child.stdout.on('data', (state) => String(state).includes('streaming') && resolve())
			await streaming
			const stop = async () => {
				child.kill('SIGKILL')
				await exited
			}
			return [{ stop, ended: exited.then(() => {}) }]
		},
		async peakMemoryMb() {
			const status = await readFile(`/proc/${pid}/status`, 'utf8')
			return Math.round(Number(/VmHWM:\s+(\d+)/.exec(status)?.[1]) / 1024)
		},
		[Symbol.asyncDispose]: () => rm(folder, { recursive: true, force: true }),
	}
}
