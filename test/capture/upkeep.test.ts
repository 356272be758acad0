import { generateKeyPairSync } from 'node:crypto'
import { copyFile, readdir, utimes } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { createSigner, signMessage } from '@reprieve/cdc'
import { messagePrefix, type Overwritten } from '@reprieve/contracts'
import { findTable, protectTable } from '@reprieve/postgres'
import { fileStore, openVault } from '@reprieve/vault'
import { expect, test } from 'vitest'
import { until } from '../support/wait.ts'
import { archivedRows, captureGround, publish } from './ground.ts'

test('a new partition leaf is protected at once, and deletes in it are archived', async () => {
	await using ground = await captureGround()
	const { sql, vault } = ground
	await sql`create table public.p (id int primary key, note text) partition by range (id)`
	await sql`create table public.p1 partition of public.p for values from (0) to (10)`
	await ground.start({ protectMs: 50 })
	await protectTable(sql, (await findTable(sql, { schema: 'public', name: 'p' }))?.oid ?? 0)
	const isReady = async () => (await sql`select from reprieve.protected_tables where status <> 'ready'`).length === 0
	await until(isReady, 'protection')
	await sql`create table public.p2 partition of public.p for values from (10) to (20)`
	const isKnown = async () =>
		(await sql`select from reprieve.protected_tables where name = 'p2' and status = 'ready'`)[0]
	await until(isKnown, 'protection of the new leaf')
	await sql`insert into public.p values (1, 'old'), (11, 'new')`
	await sql`delete from public.p`
	await ground.barrier()
	expect((await archivedRows(vault, 'p')).map((row) => [row.leaf, row.values.note])).toEqual([
		['p1', 'old'],
		['p2', 'new'],
	])
})

test('small segments are merged and logs get their checkpoints in the background', async () => {
	await using ground = await captureGround()
	const { sql, vault } = ground
	await sql`create table public.t (id int primary key)`
	await sql`insert into public.t select generate_series(1, 40)`
	await ground.start({ upkeepMs: 20, lingerMs: 0 })
	await publish(ground, 'public.t')
	for (let id = 1; id <= 40; id++) {
		await sql`delete from public.t where id = ${id}`
		await ground.barrier()
	}
	const table = vault.table({ schema: 'public', name: 't' })
	const segments = async () => {
		let count = 0
		for await (const { object } of table.verify()) if (object.endsWith('.parquet')) count++
		return count
	}
	await until(async () => (await segments()) < 20, 'compaction')
	expect((await archivedRows(vault, 't')).map((row) => Number(row.values.id)).sort((a, b) => a - b)).toEqual(
		Array.from({ length: 40 }, (_, at) => at + 1),
	)
})

test('a table that was pending behind an older transaction becomes ready by itself, and is proved', async () => {
	await using ground = await captureGround()
	const { sql } = ground
	await sql`create table public.t (id int primary key)`
	await ground.start({ protectMs: 50 })
	const row = async () =>
		(await sql`select status, proof_nonce, protected_since from reprieve.protected_tables where name = 't'`)[0]
	const { promise: released, resolve: release } = Promise.withResolvers<void>()
	const { promise: begun, resolve: begin } = Promise.withResolvers<void>()
	const older = sql.begin(async (tx) => {
		await tx`select pg_current_xact_id()`
		begin()
		await released
	})
	await begun
	try {
		await protectTable(sql, (await findTable(sql, { schema: 'public', name: 't' }))?.oid ?? 0)
		const nonce = crypto.randomUUID()
		await sql`select pg_logical_emit_message(true, 'reprieve.barrier', ${nonce})`
		await until(async () => (await sql`select from reprieve.barriers where nonce = ${nonce}`)[0], 'a barrier')
		expect(await row()).toMatchObject({ status: 'pending', protected_since: null })
	} finally {
		release()
		await older
	}
	await until(async () => (await row())?.status === 'ready', 'protection')
	expect((await row())?.protected_since).not.toBeNull()
})

const week = 7 * 24 * 3_600_000

test.each([
	['', 0],
	[' by the database, on a machine whose clock is ahead', 2 * week],
])('an object that no log names is swept once it is older than a week%s', async (_, aheadMs) => {
	await using ground = await captureGround()
	const { sql, name: database } = ground
	const store = fileStore(fileURLToPath(ground.vaultUrl))
	const vault = openVault({ store, database, now: () => Date.now() + aheadMs })
	await sql`create table public.t (id int primary key)`
	await sql`insert into public.t values (1), (2)`
	await ground.start({ upkeepMs: 20 }, { vault })
	await publish(ground, 'public.t')
	await sql`delete from public.t`
	await ground.barrier()
	const data = join(fileURLToPath(ground.vaultUrl), ground.name, 'public/t/data')
	const [named = ''] = await readdir(data)
	const [old, fresh] = [join(data, 'old.parquet'), join(data, 'fresh.parquet')]
	for (const copy of [fresh, old]) await copyFile(join(data, named), copy)
	const longAgo = Date.now() / 1000 - 8 * 24 * 3600
	for (const path of [join(data, named), old]) await utimes(path, longAgo, longAgo)
	await until(async () => !(await readdir(data)).includes('old.parquet'), 'the sweep')
	expect((await readdir(data)).sort()).toEqual([named, 'fresh.parquet'].sort())
	expect((await archivedRows(vault, 't')).length).toBe(2)
})

test('images that a restore overwrote are archived as overwrites and counted nowhere', async () => {
	await using ground = await captureGround()
	const { sql, vault } = ground
	const { privateKey } = generateKeyPairSync('ed25519')
	const signer = createSigner(privateKey.export({ type: 'pkcs8', format: 'pem' }).toString())
	await sql`create table public.t (id int primary key, note text, twice int generated always as (id * 2) stored)`
	await ground.start()
	await vault.putKey({ id: signer.keyId, publicKey: signer.publicKey, validFrom: '2020-01-01T00:00:00.000000Z' })
	const lineage = (await sql`select id from reprieve.lineages`)[0]?.id as string
	const oid = (await findTable(sql, { schema: 'public', name: 't' }))?.oid ?? 0
	await sql.begin(async (tx) => {
		const xid = (await tx`select pg_current_xact_id()::text as xid`)[0]?.xid as string
		const images: Overwritten = {
			...{ lineage, xid, oid, id: 'restore-1', batch: 1, table: 't' },
			columns: ['note', 'id'],
			rows: [
				['é', '1'],
				[null, '2'],
			],
		}
		const content = signMessage(signer, messagePrefix.overwrite, images)
		await tx`select pg_logical_emit_message(true, ${messagePrefix.overwrite}, ${content})`
	})
	await ground.barrier()
	expect((await archivedRows(vault, 't')).map(({ op, values }) => ({ op, ...values }))).toEqual([
		{ op: 'overwrite', id: '1', note: 'é', twice: null },
		{ op: 'overwrite', id: '2', note: null, twice: null },
	])
	const [transaction] = await Array.fromAsync(vault.transactions.read({}))
	expect(transaction?.rows).toEqual({})
})
