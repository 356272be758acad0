import { generateKeyPairSync } from 'node:crypto'
import { createSigner, signMessage } from '@reprieve/cdc'
import { messagePrefix, type Seal, type Tag } from '@reprieve/contracts'
import type { TransactionSql } from 'postgres'
import { expect, test } from 'vitest'
import { until } from '../support/wait.ts'
import { archivedRows, type CaptureGround, captureGround, publish } from './ground.ts'

test('rows of a savepoint that was rolled back are not archived, those around it are', async () => {
	await using ground = await captureGround()
	const { sql, vault } = ground
	await sql`create table public.t (id int primary key)`
	await sql`insert into public.t select generate_series(1, 6)`
	await ground.start()
	await publish(ground, 'public.t')
	await sql.begin(async (tx) => {
		await tx`delete from public.t where id = 1`
		await tx
			.savepoint(async (point) => {
				await point`delete from public.t where id in (2, 3)`
				throw new Error('back')
			})
			.catch(() => {})
		await tx`delete from public.t where id = 4`
	})
	await ground.barrier()
	expect((await archivedRows(vault, 't')).map((row) => row.values.id)).toEqual(['1', '4'])
})

test('a transaction that carries only a barrier is archived and answered', async () => {
	await using ground = await captureGround()
	await ground.start()
	await ground.barrier()
	const archived = []
	for await (const transaction of ground.vault.transactions.read({})) archived.push(transaction)
	expect(archived).toMatchObject([{ rows: {}, barriers: [expect.any(String)] }])
})

test('a transaction many times larger than the buffer is archived whole and in order', async () => {
	await using ground = await captureGround()
	const { sql, vault } = ground
	const rows = 200_000
	await sql`create table public.t (id int primary key, note text)`
	await sql`insert into public.t select n, repeat('x', n % 50) from generate_series(1, ${rows}::int) n`
	// A database may set it for short transactions; decoding is one, and takes as long as it takes.
	await sql.unsafe(`alter database ${ground.name} set transaction_timeout = '50ms'`)
	await ground.start({ bufferBytes: 1024 * 1024 })
	await publish(ground, 'public.t')
	await sql`delete from public.t where id = 1`
	await sql`delete from public.t`
	await ground.barrier()
	const seen = new Set<string>()
	let ordinal = -1
	let chunks = 0
	for await (const chunk of vault.table({ schema: 'public', name: 't' }).read({})) {
		chunks++
		for (let row = 0; row < chunk.count; row++) {
			const { bytes, offsets } = chunk.columns[0] as (typeof chunk.columns)[number]
			seen.add(Buffer.from(bytes.subarray(offsets[row], offsets[row + 1])).toString())
			if (seen.size > 2) expect(chunk.ordinal[row]).toBe(ordinal + 1)
			ordinal = chunk.ordinal[row] as number
		}
	}
	expect(chunks).toBeGreaterThan(1)
	expect(seen.size).toBe(rows)
	expect(await vault.table({ schema: 'public', name: 't' }).rowCount()).toBe(rows)
	const [sum] = await sql`select sum((rows->'t'->>'deleted')::int)::int as deleted from reprieve.receipts`
	expect(sum?.deleted).toBe(rows)
}, 120_000)

test('rows written ahead of a commit that never comes stay invisible', async () => {
	await using ground = await captureGround()
	const { sql, vault } = ground
	await sql`create table public.t (id int primary key, note text)`
	await sql`insert into public.t select n, repeat('x', 200) from generate_series(1, 20000) n`
	await ground.start({ bufferBytes: 64 * 1024 })
	await publish(ground, 'public.t')
	await sql
		.begin(async (tx) => {
			await tx`delete from public.t`
			throw new Error('back')
		})
		.catch(() => {})
	await ground.barrier()
	expect(await vault.table({ schema: 'public', name: 't' }).rowCount()).toBe(0)
})

test('the receipt of a sealed batch names its run, and says that the seal holds', async () => {
	await using ground = await captureGround()
	const batches = await batchGround(ground)
	await batches.run({ deletes: [1, 2], sealed: 2 })
	const receipt = await until(
		async () =>
			(await ground.sql`select kind, job_id, batch, rows, sealed from reprieve.receipts where kind is not null`)[0],
		'a receipt',
	)
	expect(receipt).toEqual({
		kind: 'run',
		job_id: 'run-1',
		batch: 1,
		rows: { t: { deleted: 2, relinked: 0 } },
		sealed: { t: { deleted: 2, relinked: 0 } },
	})
	expect(await ground.sql`select code from reprieve.incidents`).toEqual([])
})

test('a seal that counts other rows than the log has is an incident', async () => {
	await using ground = await captureGround()
	const batches = await batchGround(ground)
	await batches.run({ deletes: [1, 2], sealed: 3 })
	const incident = await until(
		async () => (await ground.sql`select code, message, stops_capture from reprieve.incidents`)[0],
		'an incident',
	)
	expect(incident).toEqual({
		code: 'SEAL_MISMATCH',
		message: 'run run-1, batch 1: t: the seal says 3 rows deleted, the log has 2',
		stops_capture: false,
	})
})

test('a tagged run without a seal is an incident', async () => {
	await using ground = await captureGround()
	const batches = await batchGround(ground)
	await batches.run({ deletes: [1] })
	const incident = await until(async () => (await ground.sql`select code from reprieve.incidents`)[0], 'an incident')
	expect(incident?.code).toBe('SEAL_MISMATCH')
})

test.each([
	['signed by a key that the vault does not have', { signer: newSigner() }],
	['signed for another lineage', { lineage: 'another' }],
	['copied from another transaction', { xid: '77' }],
])('a tag %s makes no receipt of a run', async (_what, forged) => {
	await using ground = await captureGround()
	const batches = await batchGround(ground)
	await batches.run({ deletes: [1], sealed: 1, ...forged })
	await ground.barrier()
	expect(await ground.sql`select kind, rows from reprieve.receipts`).toEqual([
		{ kind: null, rows: { t: { deleted: 1, relinked: 0 } } },
	])
})

test('an unsigned claim is archived as a claim', async () => {
	await using ground = await captureGround()
	await batchGround(ground)
	await ground.sql.begin(async (tx) => {
		await emit(tx, messagePrefix.claim, JSON.stringify({ actor: 'ann', reason: 'cleanup' }))
		await tx`delete from public.t where id = 1`
	})
	await ground.barrier()
	const [transaction] = await Array.fromAsync(ground.vault.transactions.read({}))
	expect(transaction).toMatchObject({ claim: { actor: 'ann', reason: 'cleanup' } })
	expect(transaction?.tag).toBeUndefined()
})

function newSigner() {
	const { privateKey } = generateKeyPairSync('ed25519')
	return createSigner(privateKey.export({ type: 'pkcs8', format: 'pem' }).toString())
}

/** A published table of ten rows, and batches as the service makes them. */
async function batchGround(ground: CaptureGround) {
	const { sql, vault } = ground
	const own = newSigner()
	await sql`create table public.t (id int primary key)`
	await sql`insert into public.t select generate_series(1, 10)`
	await ground.start()
	await publish(ground, 'public.t')
	await vault.putKey({ id: own.keyId, publicKey: own.publicKey, validFrom: '2020-01-01T00:00:00.000000Z' })
	const lineage = (await sql`select id from reprieve.lineages`)[0]?.id as string
	return {
		async run(batch: { deletes: number[]; sealed?: number; signer?: typeof own; lineage?: string; xid?: string }) {
			await sql.begin(async (tx) => {
				const signer = batch.signer ?? own
				const current = (await tx`select pg_current_xact_id()::text as xid`)[0]?.xid as string
				const named = { lineage: batch.lineage ?? lineage, xid: batch.xid ?? current, id: 'run-1', batch: 1 }
				const tag: Tag = { ...named, kind: 'run', actor: 'ann', reason: 'test' }
				await emit(tx, messagePrefix.tag, signMessage(signer, messagePrefix.tag, tag))
				for (const id of batch.deletes) await tx`delete from public.t where id = ${id}`
				if (batch.sealed === undefined) return
				const seal: Seal = { ...named, rows: { t: { deleted: batch.sealed, relinked: 0 } }, collateral: {} }
				await emit(tx, messagePrefix.seal, signMessage(signer, messagePrefix.seal, seal))
			})
		},
	}
}

async function emit(tx: TransactionSql, prefix: string, content: string): Promise<void> {
	await tx`select pg_logical_emit_message(true, ${prefix}, ${content})`
}
