import type { ArchivedTransaction } from '@reprieve/contracts'
import { fileStore, openVault, type Store, type Vault } from '@reprieve/vault'
import { describe, expect, test } from 'vitest'
import { freshFolder } from './folder.ts'
import { changeRows, column, readCells, sourceTable } from './rows.ts'

const source = sourceTable([column(1, 'id', 'bigint')])
const day = 24 * 3_600_000

/** Ids that are in the archive when upkeep is done: five committed one by one, merged, the sixth behind a checkpoint. */
const ids = ['1', '2', '3', '4', '5', '6']

const receipt = (lsn: bigint): ArchivedTransaction => ({
	position: { timeline: 1, lsn },
	...{ end: lsn + 1n, xid: Number(lsn), committedAt: lsn, rows: {}, barriers: [] },
})

async function archive(vault: Vault, id: string): Promise<void> {
	const [table, position] = [vault.table(source), BigInt(id)]
	const rows = changeRows(source, [{ cells: [id], position }])
	await table.commit({ source: 'l', position, segments: await table.write(rows) })
	await vault.transactions.append({ source: 'l', position, transactions: [receipt(position)] })
}

/** A vault of five commits, a checkpoint after the third, and the upkeep of nine days later by another process. */
async function scene(path: string) {
	let now = Date.now()
	const open = (store: Store) => openVault({ store, database: 'shop', now: () => now })
	const store = fileStore(path)
	const other = open(store)
	const logs = [other.table(source), other.transactions]
	const checkpoint = async () => {
		for (const log of logs) await log.checkpoint({ every: 1 })
	}
	for (const id of ids.slice(0, 5)) {
		await archive(other, id)
		if (id === '3') await checkpoint()
	}
	/** The vault of a reader, for whom upkeep happens before the first read of such an object, or behind a first listing. */
	const reader = ({ call, key }: Step) => {
		const upkeep = async () => {
			for (const log of logs) await log.compact({ minSegments: 2 })
			await archive(other, '6')
			await checkpoint()
			now += 9 * day
			for (const log of logs) expect((await log.sweep()).entries).toBeGreaterThan(4)
			step.isOver = true
		}
		const step = { isOver: false, vault: open(interrupted(store, { call, key }, upkeep)) }
		return step
	}
	return { reader }
}

type Step = { call: 'get' | 'list'; key: RegExp }

function interrupted(store: Store, { call, key: wanted }: Step, act: () => Promise<void>): Store {
	let isDone = false
	const pass = async (now: Step['call'], key: string) => {
		if (isDone || now !== call || !wanted.test(key)) return
		isDone = true
		await act()
	}
	return {
		...store,
		async get(key) {
			await pass('get', key)
			return await store.get(key)
		},
		async *list(prefix) {
			const objects = await Array.fromAsync(store.list(prefix))
			await pass('list', prefix)
			yield* objects
		},
	}
}

const parts = [
	{ part: 'a table', folder: 'shop/public/customer', logOf: (vault: Vault) => vault.table(source) },
	{ part: 'the log of transactions', folder: 'shop/_transactions', logOf: (vault: Vault) => vault.transactions },
]

const moments = [
	{ moment: 'its checkpoint is read', call: 'get', object: '/_delta_log/0{19}2.checkpoint.parquet$' },
	{ moment: "its checkpoint's seal is read", call: 'get', object: '/_delta_log/0{19}2.checkpoint.seal$' },
	{ moment: "its checkpoint's entry is read", call: 'get', object: '/_delta_log/0{19}2.json$' },
	{ moment: 'an entry in the middle is read', call: 'get', object: '/_delta_log/0{19}4.json$' },
	{ moment: 'its first segment is read', call: 'get', object: '/data/' },
] as const

describe.each(parts)('upkeep of $part', { timeout: 60_000 }, ({ folder: place, logOf }) => {
	test.each([
		...moments,
		{ moment: 'its log was listed', call: 'list', object: '/_delta_log/$' },
		{ moment: 'its first entry is read', call: 'get', object: '/_delta_log/0{20}.json$' },
	] as const)('is no damage to verify at the moment when $moment', async ({ call, object }) => {
		await using folder = await freshFolder()
		const step = (await scene(folder.path)).reader({ call, key: new RegExp(`^${place}${object}`) })
		const found = await Array.fromAsync(logOf(step.vault).verify())
		expect(found.filter(({ problem }) => problem)).toEqual([])
		expect(step.isOver).toBe(true)
		expect(found.some(({ object }) => object.startsWith(`${place}/data/`))).toBe(true)
	})
})

describe.each(moments)('upkeep at the moment when $moment', { timeout: 60_000 }, ({ call, object }) => {
	const start = async (path: string, place: string) =>
		(await scene(path)).reader({ call, key: new RegExp(`^${place}${object}`) })

	test.each([{}, { descending: true }, { limit: 6 }])('hides no row from a reader of %j', async (query) => {
		await using folder = await freshFolder()
		const step = await start(folder.path, 'shop/public/customer')
		const rows = await readCells(step.vault.table(source).read(query))
		const expected = ids.map((id) => [id])
		expect(rows).toEqual(query.descending ? expected.reverse() : expected)
		expect(step.isOver).toBe(true)
	})

	test('hides no transaction from a reader', async () => {
		await using folder = await freshFolder()
		const step = await start(folder.path, 'shop/_transactions')
		const read = await Array.fromAsync(step.vault.transactions.read({}))
		expect(read.map(({ xid }) => String(xid))).toEqual(ids)
		expect(step.isOver).toBe(true)
	})

	test.each(parts)('drops a merge of $part', async ({ folder: place, logOf }) => {
		await using folder = await freshFolder()
		const step = await start(folder.path, place)
		expect(await logOf(step.vault).compact({ minSegments: 2 })).toMatchObject({ merged: expect.any(Number) })
		expect(step.isOver).toBe(true)
		expect((await Array.fromAsync(logOf(step.vault).verify())).filter(({ problem }) => problem)).toEqual([])
	})
})
