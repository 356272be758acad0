import { readdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { fileStore, openVault, type Store, type VaultTable } from '@reprieve/vault'
import { expect, test } from 'vitest'
import { until } from '../support/wait.ts'
import { freshFolder } from './folder.ts'
import { changeRows, column, readCells, sourceTable } from './rows.ts'

const source = sourceTable([column(1, 'id', 'bigint'), column(2, 'note', 'text')])
const name = { schema: 'public', name: 'customer' }
const open = (path: string) => openVault({ store: fileStore(path), database: 'shop' }).table(name)

function change(position: bigint, note = 'x') {
	return changeRows(source, [{ cells: [String(position), note], position }])
}

async function archive(table: VaultTable, position: bigint, by = 'l') {
	return await table.commit({ source: by, position, segments: await table.write(change(position)) })
}

const idsOf = async (table: VaultTable) => (await readCells(table.read({}))).map(([id]) => Number(id))

test('commits of two handles that race are all there, each once', async () => {
	await using folder = await freshFolder()
	const writers = ['a', 'b', 'c'].map((by) => ({ by, table: open(folder.path) }))
	await Promise.all(
		writers.map(async ({ by, table }, at) => {
			for (let round = 0; round < 15; round++) await archive(table, BigInt(round * 3 + at + 1), by)
		}),
	)
	expect(await idsOf(open(folder.path))).toEqual(Array.from({ length: 45 }, (_, at) => at + 1))
	expect((await Array.fromAsync(open(folder.path).verify())).filter(({ problem }) => problem)).toEqual([])
})

test('two handles that archive the same transactions archive each once', async () => {
	await using folder = await freshFolder()
	const [first, second] = [open(folder.path), open(folder.path)]
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
	expect(await idsOf(open(folder.path))).toEqual(Array.from({ length: 20 }, (_, at) => at + 1))
})

test('a handle that did not see the newest commit is told that its position is archived', async () => {
	await using folder = await freshFolder()
	const [first, second] = [open(folder.path), open(folder.path)]
	await archive(first, 1n)
	await archive(second, 2n)
	await archive(second, 3n)
	expect((await archive(first, 2n)).outcome).toBe('alreadyArchived')
	expect(await idsOf(first)).toEqual([1, 2, 3])
})

test('a writer that was overtaken midway does not add rows that the other archived', async () => {
	await using folder = await freshFolder()
	const [first, second] = [open(folder.path), open(folder.path)]
	await archive(first, 1n)
	const slow = await first.write(
		changeRows(
			source,
			[2n, 3n].map((at) => ({ cells: [String(at), 'x'], position: at })),
		),
	)
	await archive(second, 2n)
	await expect(first.commit({ source: 'l', position: 3n, segments: slow })).rejects.toMatchObject({ code: 'CONFLICT' })
	await archive(first, 3n)
	expect(await idsOf(open(folder.path))).toEqual([1, 2, 3])
})

test('a segment without a commit is invisible', async () => {
	await using folder = await freshFolder()
	const table = open(folder.path)
	await archive(table, 1n)
	await table.write(change(2n))
	expect(await idsOf(open(folder.path))).toEqual([1])
	expect(await open(folder.path).archived('l')).toBe(1n)
})

test('commits go on while segments are merged, and no row is lost or doubled', async () => {
	await using folder = await freshFolder()
	const [writer, merger] = [open(folder.path), open(folder.path)]
	let isDone = false
	const writing = (async () => {
		for (let position = 1n; position <= 60n; position++) await archive(writer, position)
		isDone = true
	})()
	let merged = 0
	while (!isDone) merged += (await merger.compact({ minSegments: 3 })).merged
	await writing
	expect(merged).toBeGreaterThan(3)
	expect(await idsOf(open(folder.path))).toEqual(Array.from({ length: 60 }, (_, at) => at + 1))
})

test('of two merges of the same segments one is dropped', async () => {
	await using folder = await freshFolder()
	const writer = open(folder.path)
	for (let position = 1n; position <= 10n; position++) await archive(writer, position)
	const both = await Promise.all([
		open(folder.path).compact({ minSegments: 2 }),
		open(folder.path).compact({ minSegments: 2 }),
	])
	expect(both.map(({ written }) => written).sort()).toEqual([0, 1])
	expect(await idsOf(open(folder.path))).toEqual(Array.from({ length: 10 }, (_, at) => at + 1))
})

test('a stalled writer whose place in the log was cleaned away does not commit below the checkpoint', async () => {
	await using folder = await freshFolder()
	const store = fileStore(folder.path)
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
	const quick = open(folder.path)
	for (let position = 4n; position <= 8n; position++) await archive(quick, position)
	await quick.checkpoint({ every: 1 })
	const log = join(folder.path, 'shop/public/customer/_delta_log')
	for (const entry of (await readdir(log)).filter((file) => /[0-5]\.json$/.test(file))) await rm(join(log, entry))
	const release = await until(() => resume, 'the stalled writer to reach its put')
	release()
	expect(await late).toEqual({ outcome: 'committed', version: 7 })
	expect(await idsOf(open(folder.path))).toEqual([1, 2, 3, 4, 5, 6, 7, 8])
})

test('an entry that another handle saw and took into a checkpoint at once stays', async () => {
	for (const more of [0n, 2n]) {
		await using folder = await freshFolder()
		const store = fileStore(folder.path)
		const interrupted: Store = {
			...store,
			async put(key, bytes) {
				const outcome = await store.put(key, bytes)
				if (!key.endsWith('2.json')) return outcome
				const other = open(folder.path)
				for (let position = 10n; position < 10n + more; position++) await archive(other, position, 'other')
				await other.checkpoint({ every: 1 })
				return outcome
			},
		}
		const table = openVault({ store: interrupted, database: 'shop' }).table(name)
		for (let position = 1n; position <= 3n; position++) await archive(table, position)
		await archive(table, 4n)
		const ids = more === 0n ? [1, 2, 3, 4] : [1, 2, 3, 4, 10, 11]
		expect(await idsOf(open(folder.path))).toEqual(ids)
		expect((await Array.fromAsync(open(folder.path).verify())).filter(({ problem }) => problem)).toEqual([])
	}
})

test('a writer that is behind commits nothing, not even what would follow', async () => {
	await using folder = await freshFolder()
	const [stale, newest] = [open(folder.path), open(folder.path)]
	const commit = async (table: VaultTable, position: bigint, after: bigint | null) =>
		table.commit({ source: 'l', position, after, segments: await table.write(change(position)) })
	await commit(stale, 1n, null)
	await commit(newest, 2n, 1n)
	await expect(commit(stale, 4n, 1n)).rejects.toMatchObject({ code: 'CONFLICT', retryable: true })
	await expect(commit(stale, 4n, null)).rejects.toMatchObject({ code: 'CONFLICT' })
	await commit(newest, 3n, 2n)
	expect(await idsOf(open(folder.path))).toEqual([1, 2, 3])
})

test('marks stand in the same entry as the rows', async () => {
	await using folder = await freshFolder()
	const table = open(folder.path)
	const marks = [{ source: 'l/offset', position: 17n }]
	await table.commit({ source: 'l', position: 1n, segments: await table.write(change(1n)), marks })
	expect(await open(folder.path).sources()).toEqual(
		new Map([
			['l', 1n],
			['l/offset', 17n],
		]),
	)
})
