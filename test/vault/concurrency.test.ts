import { openVault, type Store, type VaultTable } from '@reprieve/vault'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { until } from '../support/wait.ts'
import { type Ground, type Place, sharedGrounds } from './grounds.ts'
import { changeRows, column, readCells, sourceTable } from './rows.ts'

const source = sourceTable([column(1, 'id', 'bigint'), column(2, 'note', 'text')])
const name = { schema: 'public', name: 'customer' }
const open = (place: Place) => openVault({ store: place(), database: 'shop' }).table(name)

function change(position: bigint, note = 'x') {
	return changeRows(source, [{ cells: [String(position), note], position }])
}

async function archive(table: VaultTable, position: bigint, by = 'l') {
	return await table.commit({ source: by, position, segments: await table.write(change(position)) })
}

const idsOf = async (table: VaultTable) => (await readCells(table.read({}))).map(([id]) => Number(id))

describe.each(sharedGrounds)('in $where', { timeout: 120_000 }, ({ start }) => {
	let ground: Ground
	beforeAll(async () => {
		ground = await start()
	}, 600_000)
	afterAll(() => ground?.[Symbol.asyncDispose]())

	test('commits of two handles that race are all there, each once', async () => {
		const place = ground.fresh()
		const writers = ['a', 'b', 'c'].map((by) => ({ by, table: open(place) }))
		await Promise.all(
			writers.map(async ({ by, table }, at) => {
				for (let round = 0; round < 15; round++) await archive(table, BigInt(round * 3 + at + 1), by)
			}),
		)
		expect(await idsOf(open(place))).toEqual(Array.from({ length: 45 }, (_, at) => at + 1))
		expect((await Array.fromAsync(open(place).verify())).filter(({ problem }) => problem)).toEqual([])
	})

	test('two handles that archive the same transactions archive each once', async () => {
		const place = ground.fresh()
		const [first, second] = [open(place), open(place)]
		const outcomes: string[] = []
		for (let position = 1n; position <= 20n; position++) {
			const both = await Promise.all([archive(first, position), archive(second, position)])
			outcomes.push(
				both
					.map(({ outcome }) => outcome)
					.sort()
					.join(' '),
			)
		}
		expect(new Set(outcomes)).toEqual(new Set(['alreadyArchived committed']))
		expect(await idsOf(open(place))).toEqual(Array.from({ length: 20 }, (_, at) => at + 1))
	})

	test('a handle that did not see the newest commit is told that its position is archived', async () => {
		const place = ground.fresh()
		const [first, second] = [open(place), open(place)]
		await archive(first, 1n)
		await archive(second, 2n)
		await archive(second, 3n)
		expect((await archive(first, 2n)).outcome).toBe('alreadyArchived')
		expect(await idsOf(first)).toEqual([1, 2, 3])
	})

	test('a writer that was overtaken midway does not add rows that the other archived', async () => {
		const place = ground.fresh()
		const [first, second] = [open(place), open(place)]
		await archive(first, 1n)
		const slow = await first.write(
			changeRows(
				source,
				[2n, 3n].map((at) => ({ cells: [String(at), 'x'], position: at })),
			),
		)
		await archive(second, 2n)
		await expect(first.commit({ source: 'l', position: 3n, segments: slow })).rejects.toMatchObject({
			code: 'CONFLICT',
		})
		await archive(first, 3n)
		expect(await idsOf(open(place))).toEqual([1, 2, 3])
	})

	test('a segment without a commit is invisible', async () => {
		const place = ground.fresh()
		const table = open(place)
		await archive(table, 1n)
		await table.write(change(2n))
		expect(await idsOf(open(place))).toEqual([1])
		expect(await open(place).archived('l')).toBe(1n)
	})

	test('commits go on while segments are merged, and no row is lost or doubled', async () => {
		const place = ground.fresh()
		const [writer, merger] = [open(place), open(place)]
		let isDone = false
		const writing = (async () => {
			for (let position = 1n; position <= 60n; position++) await archive(writer, position)
			isDone = true
		})()
		let merged = 0
		while (!isDone) merged += (await merger.compact({ minSegments: 3 })).merged
		await writing
		expect(merged).toBeGreaterThan(3)
		expect(await idsOf(open(place))).toEqual(Array.from({ length: 60 }, (_, at) => at + 1))
	})

	test('of two merges of the same segments one is dropped', async () => {
		const place = ground.fresh()
		const writer = open(place)
		for (let position = 1n; position <= 10n; position++) await archive(writer, position)
		const both = await Promise.all([open(place).compact({ minSegments: 2 }), open(place).compact({ minSegments: 2 })])
		expect(both.map(({ written }) => written).sort()).toEqual([0, 1])
		expect(await idsOf(open(place))).toEqual(Array.from({ length: 10 }, (_, at) => at + 1))
	})

	test('a stalled writer whose place in the log was cleaned away does not commit below the checkpoint', async () => {
		const place = ground.fresh()
		const store = place()
		let resume: (() => void) | undefined
		const stalled: Store = {
			...store,
			async put(key, bytes) {
				if (key.endsWith('2.json'))
					await new Promise<void>((resolve) => {
						resume = resolve
					})
				return await store.put(key, bytes)
			},
		}
		const slow = openVault({ store: stalled, database: 'shop' }).table(name)
		await archive(slow, 1n)
		await archive(slow, 2n)
		const late = archive(slow, 3n, 'other')
		const quick = open(place)
		for (let position = 4n; position <= 8n; position++) await archive(quick, position)
		await quick.checkpoint({ every: 1 })
		for await (const { key } of store.list('shop/public/customer/_delta_log/'))
			if (/[0-5]\.json$/.test(key)) await store.delete(key)
		const release = await until(() => resume, 'the stalled writer to reach its put')
		release()
		expect(await late).toEqual({ outcome: 'committed', version: 7 })
		expect(await idsOf(open(place))).toEqual([1, 2, 3, 4, 5, 6, 7, 8])
	})

	test('an entry that another handle saw and took into a checkpoint at once stays', async () => {
		for (const more of [0n, 2n]) {
			const place = ground.fresh()
			const store = place()
			const interrupted: Store = {
				...store,
				async put(key, bytes) {
					const outcome = await store.put(key, bytes)
					if (!key.endsWith('2.json')) return outcome
					const other = open(place)
					for (let position = 10n; position < 10n + more; position++) await archive(other, position, 'other')
					await other.checkpoint({ every: 1 })
					return outcome
				},
			}
			const table = openVault({ store: interrupted, database: 'shop' }).table(name)
			for (let position = 1n; position <= 3n; position++) await archive(table, position)
			await archive(table, 4n)
			const ids = more === 0n ? [1, 2, 3, 4] : [1, 2, 3, 4, 10, 11]
			expect(await idsOf(open(place))).toEqual(ids)
			expect((await Array.fromAsync(open(place).verify())).filter(({ problem }) => problem)).toEqual([])
		}
	})

	test('a writer that is behind commits nothing, not even what would follow', async () => {
		const place = ground.fresh()
		const [stale, newest] = [open(place), open(place)]
		const commit = async (table: VaultTable, position: bigint, after: bigint | null) =>
			table.commit({ source: 'l', position, after, segments: await table.write(change(position)) })
		await commit(stale, 1n, null)
		await commit(newest, 2n, 1n)
		await expect(commit(stale, 4n, 1n)).rejects.toMatchObject({ code: 'CONFLICT', retryable: true })
		await expect(commit(stale, 4n, null)).rejects.toMatchObject({ code: 'CONFLICT' })
		await commit(newest, 3n, 2n)
		expect(await idsOf(open(place))).toEqual([1, 2, 3])
	})

	test('marks stand in the same entry as the rows', async () => {
		const place = ground.fresh()
		const table = open(place)
		const marks = [{ source: 'l/offset', position: 17n }]
		await table.commit({ source: 'l', position: 1n, segments: await table.write(change(1n)), marks })
		expect(await open(place).sources()).toEqual(
			new Map([
				['l', 1n],
				['l/offset', 17n],
			]),
		)
	})
})
