import { join } from 'node:path'
import type { ArchivedTransaction } from '@reprieve/contracts'
import { endMarkOf, openVault, openVaultAt, type Store, type VaultLineage } from '@reprieve/vault'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { until } from '../support/wait.ts'
import { freshFolder } from './folder.ts'
import { type Ground, grounds } from './grounds.ts'

function transaction(lsn: bigint, more: Partial<ArchivedTransaction> = {}): ArchivedTransaction {
	return {
		position: { timeline: 1, lsn },
		end: lsn + 8n,
		xid: Number(lsn),
		committedAt: lsn * 1_000_000n,
		rows: { customer: { deleted: 2, relinked: 1 } },
		barriers: [],
		...more,
	}
}

function tagged(lsn: bigint, id: string): ArchivedTransaction {
	const tag = { kind: 'run' as const, lineage: 'l', xid: '7', id, batch: 3, actor: 'ann', reason: 'old "stuff"' }
	const seal = { lineage: 'l', xid: '7', id, batch: 3, rows: { a: { deleted: 1, relinked: 0 } }, collateral: {} }
	return transaction(lsn, { tag, seal, barriers: ['n1', 'n2'] })
}

const lineage: VaultLineage = {
	id: 'l1',
	systemIdentifier: '7400000000000000001',
	databaseOid: 5,
	slot: 'reprieve_5',
	timeline: 1,
	openedAt: '2026-01-01T00:00:00Z',
	nonces: [],
}

describe.each(grounds)('in $where', ({ start }) => {
	let ground: Ground
	const freshStore = () => ground.fresh()()
	const freshVault = () => openVault({ store: freshStore(), database: 'shop' })
	beforeAll(async () => {
		ground = await start()
	}, 600_000)
	afterAll(() => ground?.[Symbol.asyncDispose]())

	test('transactions come back whole, in position order', async () => {
		const { transactions } = freshVault()
		const first = [transaction(10n), tagged(20n, 'run-1')]
		const second = [transaction(30n, { claim: { actor: 'app', reason: 'r' }, committedAt: -1n })]
		await transactions.append({ source: 'l', position: 20n, transactions: first })
		await transactions.append({ source: 'l', position: 35n, transactions: second })
		const named = [...first, ...second].map((of) => ({ ...of, lineage: 'l' }))
		expect(await Array.fromAsync(transactions.read({}))).toEqual(named)
		expect(await transactions.archived('l')).toBe(35n)
	})

	test('a clock that is set back keeps nobody from the lease of an owner that is gone, nor lets anybody take a living one', async () => {
		const open = ground.fresh()
		let clock = Date.now()
		const vaultOf = () => openVault({ store: open(), database: 'shop', now: () => clock })
		const [first, second] = [vaultOf(), vaultOf()]
		await first.lease('l', 'a', 400)
		clock -= 3_600_000
		for (const started = performance.now(); performance.now() < started + 1_200; ) {
			await expect(second.lease('l', 'b', 400)).rejects.toMatchObject({ code: 'CONFLICT' })
			await first.lease('l', 'a', 400)
		}
		clock -= 3_600_000
		const take = () =>
			second.lease('l', 'b', 400).then(
				() => true,
				() => false,
			)
		await until(take, 'the lease of an owner that is gone', 10_000)
		await expect(first.lease('l', 'a', 400)).rejects.toMatchObject({ code: 'CONFLICT' })
	})

	test('a transaction at or behind the end of its timeline is undone, in its own lineage alone', async () => {
		const { transactions } = freshVault()
		await transactions.append({
			source: 'l',
			position: 41n,
			transactions: [20n, 30n, 40n].map((lsn) => transaction(lsn)),
		})
		await transactions.append({ source: 'm', position: 41n, transactions: [transaction(40n)] })
		const next = { ...transaction(30n), position: { timeline: 2, lsn: 30n } }
		const marks = [{ source: endMarkOf('l', 1), position: 30n }]
		await transactions.append({ source: 'l@2', lineage: 'l', position: 31n, transactions: [next], marks })
		const read = await Array.fromAsync(transactions.read({}))
		const told = read.map(({ lineage, position, isUndone }) => [lineage, position.timeline, position.lsn, isUndone])
		expect(told).toEqual([
			['l', 1, 20n, undefined],
			['l', 1, 30n, true],
			['l', 2, 30n, undefined],
			expect.anything(),
			expect.anything(),
		])
		expect(told.slice(3)).toEqual(
			expect.arrayContaining([
				['l', 1, 40n, true],
				['m', 1, 40n, undefined],
			]),
		)
		const ended = [{ timeline: 1, end: 30n }]
		for (const timeline of [1, 2])
			expect(await transactions.branch({ id: 'l', timeline })).toEqual({ lineage: 'l', timeline, ended })
	})

	test('a keepalive without transactions moves the position', async () => {
		const { transactions } = freshVault()
		await transactions.append({ source: 'l', position: 20n, transactions: [] })
		expect(await transactions.archived('l')).toBe(20n)
		expect(await transactions.append({ source: 'l', position: 20n, transactions: [] })).toMatchObject({
			outcome: 'alreadyArchived',
		})
	})

	test('a writer that is behind appends nothing, and marks stand in the same entry as the receipts', async () => {
		const { transactions } = freshVault()
		const marks = [{ source: 'l/offset', position: 17n }]
		await transactions.append({ source: 'l', position: 20n, after: null, transactions: [], marks })
		expect(await transactions.archived('l/offset')).toBe(17n)
		await transactions.append({ source: 'l', position: 30n, after: 20n, transactions: [] })
		const late = transactions.append({ source: 'l', position: 40n, after: 20n, transactions: [] })
		await expect(late).rejects.toMatchObject({ code: 'CONFLICT', retryable: true })
		expect(await transactions.archived('l')).toBe(30n)
	})

	test('a batch of which another writer recorded a part is refused', async () => {
		const store = freshStore()
		const [first, second] = [0, 1].map(() => openVault({ store, database: 'shop' }).transactions)
		await second?.append({ source: 'l', position: 18n, transactions: [transaction(10n)] })
		const late = first?.append({ source: 'l', position: 28n, transactions: [transaction(10n), transaction(20n)] })
		await expect(late).rejects.toMatchObject({ code: 'CONFLICT' })
		await first?.append({ source: 'l', position: 28n, transactions: [transaction(20n)] })
		expect((await Array.fromAsync(first?.read({}) ?? [])).map(({ xid }) => xid)).toEqual([10, 20])
	})

	test('queries by position, time and job find their transactions alone', async () => {
		const { transactions } = freshVault()
		for (const lsn of [10n, 20n, 30n]) {
			const list = [transaction(lsn), tagged(lsn + 1n, `run-${lsn}`)]
			await transactions.append({ source: 'l', position: lsn + 1n, transactions: list })
		}
		const found = async (query: Parameters<typeof transactions.read>[0]) =>
			(await Array.fromAsync(transactions.read(query))).map(({ position }) => position.lsn)
		expect(await found({ positions: { from: 11n, to: 30n } })).toEqual([11n, 20n, 21n, 30n])
		expect(await found({ exact: [21n, 30n, 99n] })).toEqual([21n, 30n])
		expect(await found({ committed: { from: 20_000_000n, to: 30_000_000n } })).toEqual([20n, 21n])
		expect(await found({ job: { kind: 'run', id: 'run-20' } })).toEqual([21n])
		expect(await found({ job: { kind: 'restore', id: 'run-20' } })).toEqual([])
	})

	test('compaction keeps every transaction', async () => {
		const { transactions } = freshVault()
		for (let lsn = 1n; lsn <= 10n; lsn++)
			await transactions.append({ source: 'l', position: lsn, transactions: [transaction(lsn)] })
		expect(await transactions.compact({ minSegments: 2 })).toEqual({ merged: 10, written: 1 })
		const all = await Array.fromAsync(transactions.read({}))
		expect(all.map(({ position }) => position.lsn)).toEqual(Array.from({ length: 10 }, (_, at) => BigInt(at + 1)))
	})

	test('of two handles that replace one lineage record only the first succeeds', async () => {
		const store = freshStore()
		const [first, second] = [openVault({ store, database: 'shop' }), openVault({ store, database: 'shop' })]
		const opened = await first.putLineage(lineage)
		const [read] = await second.lineages()
		const firsts = await first.putLineage({ ...opened, timeline: 2 })
		await expect(second.putLineage({ ...lineage, ...read, timeline: 3 })).rejects.toMatchObject({ code: 'CONFLICT' })
		let [seconds = lineage] = await second.lineages()
		expect(seconds.timeline).toBe(2)
		for (let timeline = 4; timeline < 30; timeline++) seconds = await second.putLineage({ ...seconds, timeline })
		await expect(first.putLineage({ ...firsts, timeline: 99 })).rejects.toMatchObject({ code: 'CONFLICT' })
		expect(await first.lineages()).toEqual([seconds])
	})

	test('a lineage record follows the one that was read, whatever its handle has read or written since', async () => {
		const vault = freshVault()
		const opened = await vault.putLineage(lineage)
		const again = await vault.putLineage(opened)
		expect(await vault.lineages()).toEqual([again])
		await expect(vault.putLineage({ ...opened, timeline: 2 })).rejects.toMatchObject({ code: 'CONFLICT' })
		await expect(vault.putLineage(lineage)).rejects.toMatchObject({ code: 'CONFLICT' })
		expect(await vault.lineages()).toEqual([again])
	})

	test('a lease excludes other owners until it runs out', async () => {
		let now = 1_000
		const vault = openVault({ store: freshStore(), database: 'shop', now: () => now })
		await vault.lease('l1', 'a', 500)
		await vault.lease('l1', 'a', 500)
		await expect(vault.lease('l1', 'b', 500)).rejects.toMatchObject({ code: 'CONFLICT' })
		now += 501
		await vault.lease('l1', 'b', 500)
		await expect(vault.lease('l1', 'a', 500)).rejects.toMatchObject({ code: 'CONFLICT' })
	})

	test('a lease that ran out is renewed unless another owner has had it since', async () => {
		let now = 1_000
		const vault = openVault({ store: freshStore(), database: 'shop', now: () => now })
		await vault.lease('l1', 'a', 500)
		now += 501
		await vault.lease('l1', 'a', 500, { isRenewal: true })
		now += 501
		await vault.lease('l1', 'b', 500)
		now += 501
		await expect(vault.lease('l1', 'a', 500, { isRenewal: true })).rejects.toMatchObject({ code: 'CONFLICT' })
		await vault.lease('l1', 'a', 500)
	})

	test('a lease that is renewed for long leaves a few objects, and each renewal lists no others', async () => {
		const store = freshStore()
		const listed: string[] = []
		const watched: Store = {
			...store,
			list(prefix) {
				listed.push(prefix)
				return store.list(prefix)
			},
		}
		const vault = openVault({ store: watched, database: 'shop' })
		for (let renewal = 0; renewal < 30; renewal++) await vault.lease('l1', 'a', 60_000)
		expect(new Set(listed)).toEqual(new Set(['shop/_leases/l1/']))
		expect((await Array.fromAsync(store.list('shop/_leases/'))).length).toBeLessThan(10)
	})

	test('keys, audit objects and tables of odd names are kept apart', async () => {
		const vault = freshVault()
		await vault.putKey({ id: 'k1', publicKey: 'p', validFrom: '2026' })
		await vault.putKey({ id: 'k1', publicKey: 'p', validFrom: '2026', validTo: '2027' })
		await vault.putAudit({ verb: 'export' })
		expect(await vault.keys()).toEqual([{ id: 'k1', publicKey: 'p', validFrom: '2026', validTo: '2027' }])
		const names = [
			{ schema: 'a.b', name: 'c' },
			{ schema: 'a', name: 'b.c' },
			{ schema: '_transactions', name: '_delta_log' },
			{ schema: 'Ünï', name: '../x/y%' },
		]
		for (const name of names) await vault.table(name).commit({ source: 'l', position: 1n, segments: [] })
		await vault.transactions.append({ source: 'l', position: 1n, transactions: [] })
		expect((await vault.tables()).toSorted((a, b) => a.name.localeCompare(b.name))).toEqual(
			names.toSorted((a, b) => a.name.localeCompare(b.name)),
		)
	})
})

test('a vault is opened at the address of a folder, spaces and all, and at no unknown one', async () => {
	await using folder = await freshFolder()
	const address = `file://${encodeURI(join(folder.path, 'with space', 'vault'))}`
	await openVaultAt(address, 'shop').putKey({ id: 'k1', publicKey: 'p', validFrom: '2026' })
	expect(await openVaultAt(address, 'shop').keys()).toHaveLength(1)
	expect(() => openVaultAt('ftp://bucket', 'shop')).toThrow(expect.objectContaining({ code: 'INVALID' }))
})
