import { randomUUID } from 'node:crypto'
import type { Selection } from '@reprieve/contracts'
import { openSessions, readServerFacts, streamFindings } from '@reprieve/postgres'
import { adopt } from '@reprieve/sidecar'
import type { Vault } from '@reprieve/vault'
import { expect, test } from 'vitest'
import { archivedRows, type CaptureGround, captureGroundOf, publish } from '../capture/ground.ts'
import type { TestDatabase } from '../support/postgres.ts'
import { startReprieve } from '../support/reprieve.ts'
import { type PairOptions, startPair } from '../support/standby.ts'
import { until } from '../support/wait.ts'

const timeout = 240_000

test.each([17, 18] as const)(
	'PostgreSQL %i: capture follows a standby that had everything, by itself, and nothing comes twice',
	async (version) => {
		await using scene = await startScene(version)
		const { pair, ground } = scene
		const sidecar = await scene.captureUnacknowledged()
		await scene.remove(1, 2)
		await scene.barrier()
		await pair.caughtUp()
		await sidecar.stop()
		await pair.promote()
		const promoted = await scene.goOn()
		await promoted.remove(3)
		await promoted.barrier()
		expect(await ids(ground.vault)).toEqual(['1', '2', '3'])
		expect(await promoted.sql`select code, message from reprieve.incidents`).toEqual([])
		expect(await promoted.sql`select reason from reprieve.capture_gaps`).toEqual([])
		const transactions = await withRows(ground.vault)
		expect(transactions.map(({ position }) => position.timeline)).toEqual([1, 1, 2])
		expect(transactions.some(({ isUndone }) => isUndone)).toBe(false)
		const [receipts] = await promoted.sql`select count(*)::int as n from reprieve.receipts where rows <> '{}'`
		expect(receipts?.n).toBe(3)
	},
	timeout,
)

test('what a promoted standby never had is marked undone, told, and left out; capture goes on where it branched off', {
	timeout,
}, async () => {
	await using scene = await startScene(18, { guarded: false })
	const { pair, ground } = scene
	const sidecar = await scene.captureUnacknowledged()
	await scene.remove(1)
	await scene.barrier()
	await pair.caughtUp()
	await pair.cutOff()
	await scene.remove(2)
	await ground.sql`select pg_logical_emit_message(false, 'test', repeat('far beyond ', 100000))`
	await scene.remove(3)
	await scene.waitForRows(3)
	await sidecar.stop()
	await scene.archiveWithoutReceipt(5)
	await pair.promote()
	const promoted = await scene.goOn()
	const alive = await promoted.sql`select id from public.t where id < 6 order by id`
	expect(alive.map(({ id }) => id)).toEqual([2, 3, 4, 5])
	await promoted.remove(3, 4)
	await promoted.barrier()
	expect((await ids(ground.vault)).sort()).toEqual(['1', '2', '3', '3', '4', '5'])
	const transactions = await withRows(ground.vault)
	const kept = transactions.filter(({ isUndone }) => !isUndone)
	const undone = transactions.filter(({ isUndone }) => isUndone)
	expect(kept.map(({ position }) => position.timeline)).toEqual([1, 2, 2])
	expect(undone.map(({ position }) => position.timeline)).toEqual([1, 1, 1])
	const watermark = undone[1]?.position.lsn as bigint
	expect(kept.every(({ position }) => position.lsn < watermark)).toBe(true)
	const [incident, ...others] = await promoted.sql`select code, message, remedy, stops_capture from reprieve.incidents`
	expect(others).toEqual([])
	expect(incident).toMatchObject({ code: 'TRANSACTIONS_UNDONE', stops_capture: false })
	expect(incident?.message).toMatch(/never had 3 transactions that are archived, with 3 rows: they are marked undone/)
	expect(incident?.remedy).toContain('synchronized_standby_slots')
	expect(await promoted.sql`select reason from reprieve.capture_gaps`).toEqual([])
	await promoted.sidecar.stop()

	await using reprieve = await startReprieve(promoted, { REPRIEVE_VAULT: ground.vaultUrl }, async () => [])
	const { items } = await reprieve.client.archive.page({ table: 't' })
	const told = items.map(({ key, undone }) => `${key.id}${undone ? ' undone' : ''}`)
	expect(told.sort()).toEqual(['1', '2 undone', '3', '3 undone', '4', '5 undone'])
	const previewOf = async (selection: Selection) => {
		const { tables } = await reprieve.client.restores.preview({ selection })
		return tables.map(({ missing, same }) => ({ missing, same }))
	}
	await promoted.sql`delete from public.t where id = 2`
	expect(await previewOf({ table: 't' })).toEqual([{ missing: 3, same: 0 }])
	expect(await previewOf({ table: 't', keys: [{ id: 2 }] })).toEqual([{ missing: 0, same: 0 }])
	const two = items.find(({ key }) => key.id === 2)
	expect(await previewOf({ changes: [two?.id as string] })).toEqual([{ missing: 1, same: 0 }])
	expect(await previewOf({ transaction: two?.transaction as string })).toEqual([{ missing: 1, same: 0 }])
})

test('standbys that synchronized_standby_slots does not name are a finding until it is accepted', {
	timeout,
}, async () => {
	await using unguarded = await startScene(18, { guarded: false })
	const found = async ({ ground: { sql } }: { ground: CaptureGround }) =>
		streamFindings(await readServerFacts(sql)).filter(({ code }) => code === 'failoverUnguarded')
	expect(await found(unguarded)).toEqual([
		{
			code: 'failoverUnguarded',
			message: expect.stringContaining('standby_slot never gets'),
			remedy: expect.stringMatching(/Set synchronized_standby_slots = 'standby_slot'.*acknowledge `failoverUnguarded`/),
		},
	])
	await unguarded.ground.sql`insert into reprieve.acknowledgements values ('failoverUnguarded', 'ann', now())`
	expect(await found(unguarded)).toEqual([])
	await using guarded = await startScene(18)
	expect(await found(guarded)).toEqual([])
})

test('a standby without a copy of the slot, and the former primary, stop capture until it is adopted', {
	timeout,
}, async () => {
	await using scene = await startScene(17, { syncing: false })
	const { pair, ground } = scene
	await pair.caughtUp()
	await pair.promote()
	const promoted = await scene.goOn()
	await expect(promoted.sidecar.ended).rejects.toMatchObject({
		incident: { code: 'TIMELINE_CHANGED', message: expect.stringMatching(/slot reprieve_\d+ did not come along/) },
	})
	const { gap } = await adopt({ databaseUrl: scene.url }, { vault: ground.vault, principal: 'ann' })
	expect(gap).toMatch(/^[0-9A-F/]+ to [0-9A-F/]+$/)
	const again = await scene.goOn()
	await again.remove(1)
	await again.barrier()
	expect(await ids(ground.vault)).toEqual(['1'])
	expect(await again.sql`select reason from reprieve.capture_gaps`).toHaveLength(1)
	await again.sidecar.stop()

	await pair.restartPrimary()
	const former = await ground.start()
	await expect(former.ended).rejects.toMatchObject({ incident: { stopsCapture: true } })
	expect((await ground.vault.lineages()).at(-1)?.timeline).toBe(2)
})

/** A pair whose database has a table of ten rows, and a capture of it. */
async function startScene(version: 17 | 18, options?: PairOptions) {
	await using stack = new AsyncDisposableStack()
	const pair = stack.use(await startPair(version, options))
	const ground = stack.use(await captureGroundOf(databaseOf(pair.primary.url)))
	await ground.sql`create table public.t (id int primary key, note text)`
	await ground.sql`insert into public.t select n, 'row ' || n from generate_series(1, 10) n`
	const opening = await ground.start()
	await publish(ground, 'public.t')
	await opening.stop()
	const { url } = pair.standby
	const owned = stack.move()
	return {
		...{ pair, ground, url, ...actions(ground.sql) },
		/** A capture that leaves everything to be delivered again, after the standby copied the slot. */
		async captureUnacknowledged() {
			const acknowledging = await ground.start({ keepaliveMs: 0, keepaliveBytes: 0 })
			await pair.copySlot()
			await acknowledging.stop()
			return await ground.start({ acknowledgeMs: 3_600_000 })
		},
		/** A capture that is cut off between a table's commit and its receipt. */
		async archiveWithoutReceipt(id: number) {
			const append = () => Promise.reject(new Error('cut off'))
			const vault = { ...ground.vault, transactions: { ...ground.vault.transactions, append } }
			const sidecar = await ground.start({}, { vault })
			await ground.sql`delete from public.t where id = ${id}`
			await until(async () => (await ids(ground.vault)).includes(`${id}`), `row ${id} in its table`, 60_000)
			await sidecar.stop()
		},
		/** Waits until the vault has a receipt for so many rows, whatever the database says. */
		async waitForRows(count: number) {
			await until(async () => (await withRows(ground.vault)).length >= count, `${count} archived rows`, 60_000)
		},
		/** Starts a capture of the promoted standby. */
		async goOn() {
			const databaseAt = owned.use(databaseOf(url))
			const { sql } = databaseAt
			const sidecar = await ground.start({ databaseUrl: url })
			return { ...databaseAt, sql, sidecar, ...actions(sql) }
		},
		[Symbol.asyncDispose]: () => owned.disposeAsync(),
	}
}

/** It goes with its servers. */
function databaseOf(url: string): TestDatabase {
	const sql = openSessions(url, { applicationName: 'test' })
	return { url, name: 'postgres', sql, [Symbol.asyncDispose]: () => sql.end({ timeout: 5 }) }
}

function actions(sql: CaptureGround['sql']) {
	return {
		async remove(...rows: number[]) {
			for (const id of rows) await sql`delete from public.t where id = ${id}`
		},
		async barrier() {
			const nonce = randomUUID()
			await sql`select pg_logical_emit_message(true, 'reprieve.barrier', ${nonce})`
			const found = async () => (await sql`select from reprieve.barriers where nonce = ${nonce}`).length
			await until(found, `barrier ${nonce}`, 60_000)
		},
	}
}

async function ids(vault: Vault): Promise<(string | null | undefined)[]> {
	return (await archivedRows(vault, 't')).map(({ values }) => values.id)
}

async function withRows(vault: Vault) {
	const all = await Array.fromAsync(vault.transactions.read({}))
	return all.filter(({ rows }) => rows.t)
}
