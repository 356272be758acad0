import type { Policy, RunThrottle } from '@reprieve/contracts'
import { expect, test } from 'vitest'
import { cancelRun } from '../../apps/service/src/runs/cancel.ts'
import { getRun } from '../../apps/service/src/runs/get.ts'
import { pauseRun } from '../../apps/service/src/runs/pause.ts'
import { startRun } from '../../apps/service/src/runs/start.ts'
import { startWorkers, type Workers } from '../../apps/service/src/runs/worker/loop.ts'
import { startCluster } from '../support/postgres.ts'
import { admin, type TestServicesOptions } from '../support/services.ts'
import { until } from '../support/wait.ts'
import { openShop, type Shop } from './shop.ts'

const events = `create table events (id int primary key, body text);
	insert into events select n, (select string_agg(md5(n || ' ' || i), '') from generate_series(1, 55) i)
	from generate_series(1, 400) n`
const all: Policy = { kind: 'match', table: 'events', where: { and: [] } }

/** A run at work that asks for a throttle, batches of 50 rows; its receipts come only when they are asked for. */
async function openThrottled(
	throttle: RunThrottle,
	options?: TestServicesOptions,
	{ schema = events, cluster }: { schema?: string; cluster?: { url: string } } = {},
) {
	await using stack = new AsyncDisposableStack()
	const shop: Shop = stack.use(await openShop(schema, options, cluster))
	await shop.protect('events')
	const planId = await shop.plan(all)
	const { id } = await startRun(shop.services, admin, { planId, reason: 'test', batch: { rows: 50 }, throttle })
	const workers: Workers = await startWorkers(shop.services, { pollMs: 50 })
	stack.defer(() => workers.stop())
	const owned = stack.move()
	const state = () => getRun(shop.services, admin, { id })
	return {
		...{ shop, id, state },
		waitsFor: (reason: string) =>
			until(async () => {
				const run = await state()
				return run.waiting?.reason === reason ? run : undefined
			}, `waiting for ${reason}`),
		/** Deletes the rest and has it archived. */
		finish: () =>
			until(async () => {
				await shop.archive()
				const run = await state()
				return run.status === 'succeeded' ? run : undefined
			}, 'the run to finish'),
		[Symbol.asyncDispose]: () => owned.disposeAsync(),
	}
}

test('a run deletes no more rows a second than it may, and says so', async () => {
	await using run = await openThrottled({ rowsPerSecond: 100 })
	const waiting = await run.waitsFor('rowsPerSecond')
	expect(waiting).toMatchObject({ throttle: { rowsPerSecond: 100 }, waiting: { limit: 100 } })
	expect(waiting.waiting?.reading).toBeGreaterThan(100)
	await run.finish()
	const begun = await run.shop.database.sql<{ ms: number; deleted: number }[]>`
		select extract(epoch from at) * 1000 - milliseconds as ms, deleted from reprieve.batches order by batch`
	for (const [index, { ms, deleted }] of begun.slice(0, -1).entries()) {
		// The clocks of server and process, and whole milliseconds.
		expect(Number(begun[index + 1]?.ms) - ms).toBeGreaterThan((deleted / 100) * 1000 - 100)
	}
	expect(begun.length).toBeGreaterThanOrEqual(8)
})

test('a run that waits for its rate obeys a pause at once', async () => {
	await using run = await openThrottled({ rowsPerSecond: 1 })
	await run.waitsFor('rowsPerSecond')
	await pauseRun(run.shop.services, admin, { id: run.id })
	await until(async () => (await run.state()).status === 'paused', 'paused')
	expect((await run.state()).batches).toBe(1)
})

test('a run waits while the cluster writes more log than it may, and its batches shrink to that', async () => {
	// Others write into the suite's cluster.
	await using cluster = await startCluster(18)
	await using run = await openThrottled({ logBytesPerSecond: 65_536 }, {}, { cluster })
	const { waiting } = await run.waitsFor('logBytesPerSecond')
	expect(waiting?.limit).toBe(65_536)
	await until(async () => (await run.state()).batches >= 2, 'the next batch')
	const sizes = await run.shop.database.sql<{ deleted: number }[]>`select deleted from reprieve.batches order by batch`
	expect(sizes[0]?.deleted).toBe(50)
	expect(sizes[1]?.deleted).toBeLessThan(50)
})

test('a run waits while a vacuum holds one of its tables, if it was asked to', async () => {
	await using patient = await openThrottled({ waitForVacuum: true, rowsPerSecond: 200 })
	const { sql } = patient.shop.database
	await using vacuum = await holdAsVacuum(patient.shop)
	const { batches } = await patient.waitsFor('vacuum')
	await sql`select pg_notify('reprieve_runs', '')`
	expect((await patient.waitsFor('vacuum')).batches).toBe(batches)
	await vacuum[Symbol.asyncDispose]()
	await patient.finish()
})

test('a vacuum of a partition is waited for', async () => {
	const parted = events.replace(
		'text)',
		'text) partition by range (id); create table events_all partition of events default',
	)
	await using patient = await openThrottled({ waitForVacuum: true, rowsPerSecond: 200 }, {}, { schema: parted })
	await using vacuum = await holdAsVacuum(patient.shop, 'events_all')
	await patient.waitsFor('vacuum')
	await vacuum[Symbol.asyncDispose]()
	await patient.finish()
})

test('a run that was not asked to wait goes on beside a vacuum', async () => {
	await using run = await openThrottled({})
	await using _ = await holdAsVacuum(run.shop)
	expect(await run.finish()).toMatchObject({ deleted: 400 })
})

test('a run begins no batch outside its window, and goes on by itself when it opens', async () => {
	let time = new Date('2026-03-02T12:00:00Z')
	const clock = { now: () => time }
	await using run = await openThrottled({ window: { from: '22:00', to: '06:00' } }, { clock })
	expect(await run.waitsFor('window')).toMatchObject({ deleted: 0, waiting: { reading: 36_000, limit: 0 } })
	time = new Date('2026-03-02T22:00:00Z')
	expect(await run.finish()).toMatchObject({ deleted: 400 })
})

/** Starts runs of tables a, b, c under throttles of their own, with a worker that has so many places. */
async function openThree(concurrency: number, options: TestServicesOptions) {
	await using stack = new AsyncDisposableStack()
	const schema = ['a', 'b', 'c'].map((name) => `${events.replaceAll('events', name)};`).join('')
	const shop = stack.use(await openShop(schema, options))
	const workers = await startWorkers(shop.services, { pollMs: 50, concurrency })
	stack.defer(() => workers.stop())
	const owned = stack.move()
	const state = (id: string) => getRun(shop.services, admin, { id })
	return {
		...{ shop, state },
		async start(table: string, throttle?: RunThrottle) {
			await shop.protect(table)
			const planId = await shop.plan({ ...all, table } as Policy)
			const batch = { rows: 50 }
			return (await startRun(shop.services, admin, { planId, reason: 'test', throttle, batch })).id
		},
		waitsFor: (id: string, reason: string) =>
			until(async () => (await state(id)).waiting?.reason === reason, `waiting for ${reason}`),
		[Symbol.asyncDispose]: () => owned.disposeAsync(),
	}
}

const noon = { now: () => new Date('2026-03-02T12:00:00Z') }
const window = { from: '22:00', to: '06:00' }

test('runs that wait for their windows keep no other from its turn', async () => {
	await using three = await openThree(2, { clock: noon })
	for (const table of ['a', 'b']) await three.waitsFor(await three.start(table, { window }), 'window')
	const id = await three.start('c')
	await until(async () => (await three.shop.archive()) && (await three.state(id)).deleted === 400, 'the third')
})

test('a run that waits for its window obeys a cancel while others have all places', async () => {
	await using three = await openThree(1, { clock: noon, limits: { exposureBatches: 2 } })
	const waiting = await three.start('a', { window })
	await three.waitsFor(waiting, 'window')
	await three.waitsFor(await three.start('b'), 'exposure')
	await cancelRun(three.shop.services, admin, { id: waiting })
	await until(async () => (await three.state(waiting)).status === 'cancelled', 'cancelled')
})

/** A run whose window has opened, and the one that has the only place meanwhile. */
async function openBehindAnother(
	three: Awaited<ReturnType<typeof openThree>>,
	clock: { time: Date },
): Promise<[first: string, second: string]> {
	const first = await three.start('a', { window })
	await three.waitsFor(first, 'window')
	const second = await three.start('b')
	await three.waitsFor(second, 'exposure')
	clock.time = new Date('2026-03-02T22:00:00Z')
	await three.waitsFor(first, 'otherRuns')
	return [first, second]
}

test('a run whose window has opened comes before those that were queued meanwhile', async () => {
	const clock = { time: new Date('2026-03-02T12:00:00Z'), now: () => clock.time }
	await using three = await openThree(1, { clock, limits: { exposureBatches: 2 } })
	const [first, second] = await openBehindAnother(three, clock)
	const third = await three.start('c')
	await cancelRun(three.shop.services, admin, { id: second })
	await until(async () => (await three.state(first)).deleted > 0, 'the first')
	expect(await three.state(third)).toMatchObject({ status: 'queued', deleted: 0 })
})

test('a run whose window closed before it had a place keeps no place free for itself', async () => {
	const clock = { time: new Date('2026-03-02T12:00:00Z'), now: () => clock.time }
	await using three = await openThree(1, { clock, limits: { exposureBatches: 2 } })
	const [first, second] = await openBehindAnother(three, clock)
	clock.time = new Date('2026-03-02T06:00:00Z')
	await three.waitsFor(first, 'window')
	const third = await three.start('c')
	await cancelRun(three.shop.services, admin, { id: second })
	await until(async () => (await three.state(third)).deleted > 0, 'the third')
})

/** Takes the lock that VACUUM takes. */
async function holdAsVacuum({ database }: Shop, table = 'events'): Promise<AsyncDisposable> {
	const session = await database.sql.reserve()
	await session`begin`
	await session.unsafe(`lock table public.${table} in share update exclusive mode`)
	let isHeld = true
	return {
		async [Symbol.asyncDispose]() {
			if (!isHeld) return
			isHeld = false
			await session`commit`
			session.release()
		},
	}
}
