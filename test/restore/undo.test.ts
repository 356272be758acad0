import { parseTableName } from '@reprieve/contracts'
import { findTable, protectTable } from '@reprieve/postgres'
import { expect, test } from 'vitest'
import { createPlan } from '../../apps/service/src/plans/create.ts'
import { discardPlan } from '../../apps/service/src/plans/discard.ts'
import { getRestore } from '../../apps/service/src/restores/get.ts'
import { previewRestore } from '../../apps/service/src/restores/preview.ts'
import { startRestore } from '../../apps/service/src/restores/start.ts'
import { undoRestore } from '../../apps/service/src/restores/undo.ts'
import { startRestoreWorkers } from '../../apps/service/src/restores/worker/loop.ts'
import { getRun } from '../../apps/service/src/runs/get.ts'
import { startRun } from '../../apps/service/src/runs/start.ts'
import { startWorkers } from '../../apps/service/src/runs/worker/loop.ts'
import { type CaptureGround, captureGround } from '../capture/ground.ts'
import { admin, type TestServices, testServices } from '../support/services.ts'
import { differences, keep } from './scene.ts'

type Loop = { ground: CaptureGround; services: TestServices } & AsyncDisposable

/** Everything that runs in one process: capture, vault, workers. */
async function wholeLoop(schema: string, tables: string[]): Promise<Loop> {
	const ground = await captureGround()
	await ground.start()
	const services = await testServices(ground, { vault: ground.vault, openLineage: false })
	const { keyId, publicKey } = services.signer
	await ground.vault.putKey({ id: keyId, publicKey, validFrom: '2020-01-01T00:00:00Z' })
	await ground.sql.unsafe(schema).simple()
	for (const table of tables) {
		const found = await findTable(ground.sql, parseTableName(table))
		const { refusals } = await protectTable(ground.sql, found?.oid ?? 0, {})
		expect(refusals).toEqual([])
	}
	await ground.sql`update reprieve.protected_tables set status = 'ready'`
	const workers = [await startWorkers(services, { pollMs: 50 }), await startRestoreWorkers(services, { pollMs: 50 })]
	return {
		ground,
		services,
		async [Symbol.asyncDispose]() {
			for (const each of workers) await each.stop()
			await services[Symbol.asyncDispose]()
			await ground[Symbol.asyncDispose]()
		},
	}
}

async function run({ services }: Loop, planId: string) {
	const { id } = await startRun(services, admin, { planId, reason: 'test' })
	return await getRun(services, admin, { id, wait: 40 })
}

async function restore({ services }: Loop, input: Parameters<typeof previewRestore>[2]) {
	const { hash, complete } = await previewRestore(services, admin, input)
	expect(complete).toBe(true)
	const { id } = await startRestore(services, admin, { ...input, hash, reason: 'test' })
	return await getRestore(services, admin, { id, wait: 40 })
}

const schema = `
	create table public.customer (id int primary key, note text);
	create table public.orders (id int primary key, customer int not null references public.customer on delete cascade, up int references public.orders);
	create table public.visit (id int primary key, customer int references public.customer on delete set null);
	insert into public.customer select n, case when n <= 5 then 'old' else 'new' end from generate_series(1, 10) n;
	insert into public.orders select n, 1 + n % 10, case when n > 10 then n - 10 end from generate_series(1, 30) n;
	insert into public.visit select n, 1 + n % 10 from generate_series(1, 20) n`

test('a run is restored exactly, the restore undone by a run, and the run restored again', async () => {
	await using loop = await wholeLoop(schema, ['customer'])
	const { ground, services } = loop
	for (const table of ['customer', 'orders', 'visit']) await keep(ground.sql, table)
	const isBack = async () => {
		for (const table of ['customer', 'orders', 'visit']) {
			expect(await differences(ground.sql, table, ['id'])).toEqual([])
		}
	}
	const where = { column: 'note', op: 'eq', value: 'old' } as const
	const plan = await createPlan(services, admin, { policy: { kind: 'match', table: 'customer', where } })
	const deleted = await run(loop, plan.id)
	expect(deleted).toMatchObject({ status: 'succeeded', deleted: 20, relinked: 10 })

	const back = await restore(loop, { selection: { run: deleted.id } })
	expect(back).toMatchObject({ status: 'succeeded', restored: 20, verified: 20, relinked: 10, conflicts: 0 })
	await isBack()

	const { planId: givenUp } = await undoRestore(services, admin, { id: back.id })
	expect(await undoRestore(services, admin, { id: back.id })).toEqual({ planId: givenUp })
	await discardPlan(services, admin, { id: givenUp })
	const { planId } = await undoRestore(services, admin, { id: back.id })
	expect(planId).not.toBe(givenUp)
	expect(await run(loop, planId)).toMatchObject({ status: 'succeeded', deleted: 20, relinked: 10, drifted: 0 })
	expect(await ground.sql`select from public.visit where customer is null`).toHaveLength(10)

	const again = await restore(loop, { selection: { run: deleted.id } })
	expect(again).toMatchObject({ status: 'succeeded', restored: 20, relinked: 10, conflicts: 0 })
	await isBack()
})

test('an undo leaves what changed since the restore, and writes overwritten images back', async () => {
	const items = `create table public.item (id int primary key, note text); insert into public.item values (1, 'a'), (2, 'b'), (3, 'c'), (4, 'd')`
	await using loop = await wholeLoop(items, ['item'])
	const { ground, services } = loop
	await ground.sql`delete from public.item`
	await ground.sql`insert into public.item values (3, 'newer'), (4, 'newer')`
	const back = await restore(loop, { selection: { table: 'item' }, conflict: 'overwrite' })
	expect(back).toMatchObject({ status: 'succeeded', restored: 4, verified: 4 })
	await ground.sql`update public.item set note = 'touched' where id in (2, 4)`

	const { planId } = await undoRestore(services, admin, { id: back.id })
	const undone = await run(loop, planId)
	expect(undone).toMatchObject({ status: 'succeeded', deleted: 1, drifted: 1 })
	const [writing] = await ground.sql<{ id: string }[]>`
		select id from reprieve.restores where id <> ${back.id} order by created_at desc limit 1`
	await getRestore(services, admin, { id: writing?.id ?? '', wait: 40 })
	expect(await ground.sql`select id, note from public.item order by id`).toEqual([
		{ id: 2, note: 'touched' },
		{ id: 3, note: 'newer' },
		{ id: 4, note: 'touched' },
	])
})

test('what a restore that was undone had brought back is copied straight in again', async () => {
	await using loop = await wholeLoop('create table public.item (id int primary key)', ['item'])
	const { ground, services } = loop
	await ground.sql`insert into public.item select generate_series(1, 5)`
	const where = { column: 'id', op: 'gte', value: 1 } as const
	const plan = await createPlan(services, admin, { policy: { kind: 'match', table: 'item', where } })
	const deleted = await run(loop, plan.id)
	const back = await restore(loop, { selection: { run: deleted.id } })
	const { planId } = await undoRestore(services, admin, { id: back.id })
	expect(await run(loop, planId)).toMatchObject({ status: 'succeeded', deleted: 5 })
	const again = await restore(loop, { selection: { run: deleted.id } })
	expect(again).toMatchObject({ status: 'succeeded', restored: 5, verified: 5 })
	expect(await ground.sql`select from reprieve.restored_shares where version is not null`).toHaveLength(2)
	expect(await ground.sql`select from reprieve.restored_rows`).toEqual([])
})
