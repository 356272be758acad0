import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import type { Client } from '@reprieve/client'
import type { TextColumn } from '@reprieve/contracts'
import type { Vault } from '@reprieve/vault'
import { expect, test } from 'vitest'
import { freshDatabase, type TestDatabase } from '../support/postgres.ts'
import { startReprieve } from '../support/reprieve.ts'

/**
 * One transaction that deletes very many rows: REPRIEVE_TEST_LARGE_ROWS says how many (default 1,000,000). All of them are
 * archived and read back from the vault, and a sample is restored. 5,000,000 show the same bound on memory, and take minutes.
 */
const rows = Number(process.env.REPRIEVE_TEST_LARGE_ROWS ?? 1_000_000)
const timeout = 180_000 + rows / 5
const sampled = 1000

/** Most memory that the archiving process may hold, whatever the transaction's size. */
const memoryLimitMb = 800

test(`${rows} rows deleted in one transaction are archived whole, and come back`, { timeout }, async () => {
	await using database = await freshDatabase()
	const { sql } = database
	await sql.unsafe('create table public.t (id int primary key, v int8, note text)')
	await sql.unsafe(`insert into public.t select i, i::int8 * 7919, 'n' || i % 1000 from generate_series(1, ${rows}) i`)
	await using archiver = await startArchiver(database)
	await using reprieve = await startReprieve(database, { REPRIEVE_VAULT: archiver.vaultUrl }, archiver.start)
	const { client, vault } = reprieve
	const { tables } = await client.tables.protect({ tables: ['t'], wait: 60 })
	expect(tables[0]?.restorability).toEqual({ status: 'ready', findings: [] })

	const began = performance.now()
	await sql.unsafe('delete from public.t')
	await client.archive.barrier({ timeoutMs: 600_000 })
	const seconds = Math.round((performance.now() - began) / 1000)
	const peakMb = await archiver.peakMemoryMb()
	const cpu = await archiver.cpuSeconds()
	process.stdout.write(`${rows} rows archived in ${seconds} s, by ${cpu} s of CPU, with ${peakMb} MB at most\n`)
	expect(peakMb).toBeLessThan(memoryLimitMb)
	expect(await client.tables.get('t')).toMatchObject({ archivedRows: rows, gaps: [] })
	expect(await countWhole(vault)).toBe(rows)
	await restoreSample(client)
	expect(
		await sql.unsafe(`select count(*)::int4 as rows from public.t
			where (id, v, note) is not distinct from (id, id::int8 * 7919, 'n' || id % 1000)`),
	).toEqual([{ rows: sampled }])
})

/** How many archived rows are as they were deleted, each key counted once. */
async function countWhole(vault: Vault): Promise<number> {
	const seen = new Set<number>()
	for await (const { columns, count } of vault.table({ schema: 'public', name: 't' }).read({})) {
		const [ids, values, notes] = columns.map(textsOf)
		for (let row = 0; row < count; row++) {
			const id = Number(ids?.(row))
			if (values?.(row) === String(id * 7919) && notes?.(row) === `n${id % 1000}`) seen.add(id)
		}
	}
	return seen.size
}

function textsOf({ bytes, offsets }: TextColumn): (row: number) => string {
	const all = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
	return (row) => all.toString('latin1', offsets[row], offsets[row + 1])
}

/** Keys from the first to the last. */
async function restoreSample(client: Client): Promise<void> {
	const keys = Array.from({ length: sampled }, (_, at) => ({ id: 1 + Math.floor((at * (rows - 1)) / (sampled - 1)) }))
	const selection = { table: 't', keys }
	const preview = await client.restores.preview({ selection })
	expect(preview.tables[0]).toMatchObject({ rows: sampled, missing: sampled })
	const restore = await client.restores.start({ selection, hash: preview.hash, reason: 'a sample of it back' })
	expect(await restore.finished()).toMatchObject({ status: 'succeeded', restored: sampled, verified: sampled })
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
		/** A tick is a hundredth of a second; fields are counted behind the program's name. */
		async cpuSeconds() {
			const fields = (await readFile(`/proc/${pid}/stat`, 'utf8')).split(') ')[1]?.split(' ') ?? []
			return Math.round((Number(fields[11]) + Number(fields[12])) / 100)
		},
		[Symbol.asyncDispose]: () => rm(folder, { recursive: true, force: true }),
	}
}
