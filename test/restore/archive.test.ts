import { expect, test } from 'vitest'
import { awaitBarrier, passBarrier } from '../../apps/service/src/archive/barrier.ts'
import { findChanges } from '../../apps/service/src/archive/changes.ts'
import { previewRestore } from '../../apps/service/src/restores/preview.ts'
import { readRestore, toRestore } from '../../apps/service/src/restores/read.ts'
import { startRestore } from '../../apps/service/src/restores/start.ts'
import { claimRestore } from '../../apps/service/src/restores/worker/claim.ts'
import { executeRestore } from '../../apps/service/src/restores/worker/execute.ts'
import { type CaptureGround, captureGround, publish } from '../capture/ground.ts'
import { admin, type TestServices, testServices } from '../support/services.ts'
import { differences, keep } from './scene.ts'

async function captured(): Promise<{ ground: CaptureGround; services: TestServices } & AsyncDisposable> {
	const ground = await captureGround()
	await ground.start()
	const services = await testServices(ground, { vault: ground.vault, openLineage: false })
	return {
		ground,
		services,
		async [Symbol.asyncDispose]() {
			await services[Symbol.asyncDispose]()
			await ground[Symbol.asyncDispose]()
		},
	}
}

async function restore(services: TestServices, input: Parameters<typeof previewRestore>[2]) {
	const { hash } = await previewRestore(services, admin, input)
	const queued = await startRestore(services, admin, { ...input, hash, reason: 'bring back' })
	const claimed = await claimRestore(services, 'test', 30_000)
	if (claimed) await executeRestore(services, claimed, new AbortController().signal)
	return toRestore(await readRestore(services, queued.id))
}

test('rows deleted by anybody are found in the archive and come back from it', async () => {
	await using scene = await captured()
	const { ground, services } = scene
	const { sql } = ground
	await sql`create table public.t (id int primary key, at timestamptz, f float8, note text)`
	await publish(ground, 'public.t')
	await sql`insert into public.t select n, 'infinity', 'NaN', repeat(E'\\t', n) from generate_series(1, 30) n`
	await keep(sql, 't')
	await sql.begin(async (tx) => {
		await tx`select pg_logical_emit_message(true, 'reprieve.claim', '{"actor":"ann","reason":"oops"}')`
		await tx`delete from public.t where id <= 20`
	})
	await sql`delete from public.t`
	const { position } = await passBarrier(services, admin, {})
	expect(position).toMatch(/^\d+-[0-9a-f]{16}$/)

	const first = await findChanges(services, admin, { table: 't', limit: 25 })
	expect(first.items).toHaveLength(25)
	const second = await findChanges(services, admin, { table: 't', limit: 25, cursor: first.next })
	expect(second.items).toHaveLength(5)
	expect(new Set([...first.items, ...second.items].map((change) => change.id)).size).toBe(30)
	expect(second.items[0]).toMatchObject({ op: 'delete', actor: 'ann', reason: 'oops', claimed: true })
	const where = { column: 'id', op: 'lte', value: 2 } as const
	expect((await findChanges(services, admin, { table: 't', where })).items.map((change) => change.key)).toEqual([
		{ id: 2 },
		{ id: 1 },
	])
	expect((await findChanges(services, admin, { table: 't', key: { id: 7 } })).items).toMatchObject([
		{ row: { id: 7, at: 'infinity', f: 'NaN' } },
	])
	expect((await findChanges(services, admin, { transaction: second.items[0]?.transaction })).items).toHaveLength(20)

	const done = await restore(services, { selection: { table: 't', where } })
	expect(done).toMatchObject({ status: 'succeeded', restored: 2, verified: 2 })
	expect(await restore(services, { selection: { table: 't' } })).toMatchObject({ restored: 28, identical: 2 })
	expect(await differences(sql, 't', ['id'])).toEqual([])
})

test('an overwritten image is archived as a change and found by its restore', async () => {
	await using scene = await captured()
	const { ground, services } = scene
	const { sql } = ground
	await ground.vault.putKey({
		id: services.signer.keyId,
		publicKey: services.signer.publicKey,
		validFrom: '2020-01-01T00:00:00Z',
	})
	await sql`create table public.t (id int primary key, note text, twice int generated always as (id * 2) stored)`
	await publish(ground, 'public.t')
	await sql`insert into public.t values (1, 'old')`
	await sql`delete from public.t`
	await sql`insert into public.t values (1, 'new')`
	const done = await restore(services, { selection: { table: 't', keys: [{ id: 1 }] }, conflict: 'overwrite' })
	expect(done).toMatchObject({ restored: 1, verified: 1 })
	await awaitBarrier(services, 30_000)
	const { items } = await findChanges(services, admin, { table: 't' })
	expect(items).toMatchObject([
		{ op: 'overwrite', row: { id: 1, note: 'new' }, restore: done.id, actor: 'admin', reason: 'bring back' },
		{ op: 'delete', row: { id: 1, note: 'old' } },
	])
})

test('without capture a barrier says how far the archive is', async () => {
	await using ground = await captureGround()
	await using services = await testServices(ground, { vault: ground.vault })
	await expect(passBarrier(services, admin, { timeoutMs: 50 })).rejects.toMatchObject({
		code: 'ARCHIVE_LAGGING',
		message: expect.stringMatching(/written up to [0-9A-F]+\/[0-9A-F]+ and archived up to nothing/),
	})
})

test('a value too long for a line of COPY comes back in pieces', async () => {
	await using scene = await captured()
	const { ground, services } = scene
	const { sql } = ground
	await sql`create table public.t (id int primary key, doc bytea, note text)`
	await publish(ground, 'public.t')
	await sql`insert into public.t select 1, decode(repeat('00ff7a5c', 9000000), 'hex'), repeat(E'\u00e4\\\\\u20ac\t', 10000000)`
	await keep(sql, 't')
	await sql`delete from public.t`
	await ground.barrier(60_000)
	expect(await restore(services, { selection: { table: 't' } })).toMatchObject({ restored: 1 })
	expect(await differences(sql, 't', ['id'])).toEqual([])
}, 180_000)
