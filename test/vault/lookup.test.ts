import { randomBytes } from 'node:crypto'
import { cp, readdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileStore, openVault, type ReadQuery, type Store, type VaultTable } from '@reprieve/vault'
import { expect, test } from 'vitest'
import { countingStore } from '../support/counting.ts'
import { freshFolder } from './folder.ts'
import { type Change, changeRows, column, numericTypmod, readAll, readCells, sourceTable } from './rows.ts'

const name = { schema: 'public', name: 'customer' }
const source = sourceTable([column(1, 'id', 'uuid'), column(2, 'n', 'integer'), column(3, 'note', 'text')])
const open = (path: string, store: Store = fileStore(path)) => openVault({ store, database: 'shop' }).table(name)

/** Spreads numbers over all ids, so that every segment has ids from end to end. */
function idOf(n: number): string {
	const hex = (part: number) => (Math.imul(part + 1, 0x9e37_79b1) >>> 0).toString(16).padStart(8, '0')
	return `${hex(n)}-${hex(n * 3).slice(0, 4)}-4${hex(n * 5).slice(0, 3)}-8${hex(n * 7).slice(0, 3)}-${hex(n * 11)}abcd`
}

const cellsOf = (n: number) => [idOf(n), String(n), `${idOf(n * 13)} of row ${n}`]

/** Archives rows `from` to `to`, so many at a time. */
async function archive(table: VaultTable, [from, to]: [number, number], step: number): Promise<void> {
	for (let first = from; first < to; first += step) {
		const position = BigInt(first + 1)
		const changes = Array.from({ length: step }, (_, at) => ({ cells: cellsOf(first + at), position }))
		await table.commit({ source: 'l', position, segments: await table.write(changeRows(source, changes)) })
	}
}

test('one key among 100,000 scattered ones costs at most three reads and 256 KiB after compaction', async () => {
	await using folder = await freshFolder()
	const counting = countingStore(fileStore(folder.path))
	const table = open(folder.path, counting.store)
	await archive(table, [0, 100_000], 2_500)
	await table.compact({ batchRows: 20_000 })
	counting.take()
	for (let n = 0; n < 100_000; n += 997) {
		expect(await readCells(table.read({ keys: [{ id: idOf(n) }] }))).toEqual([cellsOf(n)])
		const { data, dataBytes } = counting.take()
		expect(data).toBeLessThanOrEqual(3)
		expect(dataBytes).toBeLessThanOrEqual(256 * 1024)
	}
	expect(await readCells(table.read({ keys: [{ id: idOf(-1) }] }))).toEqual([])
	expect(counting.take().data).toBeLessThanOrEqual(2)
}, 120_000)

/** Whether a row of 8,000 is a wide one. */
const layouts = {
	'that come first by key are much narrower than those behind': (id: number) => id >= 4_000,
	'of much more width lie together among narrow ones': (id: number) => id % 4_000 >= 3_800,
}

test.each(Object.entries(layouts))('one key costs no more where rows %s', { timeout: 120_000 }, async (_, isWide) => {
	await using folder = await freshFolder()
	const counting = countingStore(fileStore(folder.path))
	const table = open(folder.path, counting.store)
	const narrowFirst = sourceTable([column(1, 'id', 'integer'), column(2, 'note', 'text')])
	const notes = Array.from({ length: 8_000 }, (_, id) => (isWide(id) ? randomBytes(1_500).toString('base64') : 'n'))
	for (let part = 0; part < 8; part++) {
		const changes = Array.from({ length: 1_000 }, (_, at) => {
			const id = at * 8 + part
			return { cells: [String(id), notes[id] as string], position: BigInt(part + 1) }
		})
		const segments = await table.write(changeRows(narrowFirst, changes))
		await table.commit({ source: 'l', position: BigInt(part + 1), segments })
	}
	expect(await table.compact()).toMatchObject({ merged: 8 })
	for (let id = 0; id < 8_000; id += 37) {
		counting.take()
		expect(await readCells(table.read({ keys: [{ id: String(id) }] }))).toEqual([[String(id), notes[id]]])
		expect(counting.take().dataBytes).toBeLessThanOrEqual(256 * 1024)
	}
	expect(await table.rowCount()).toBe(8_000)
})

test('small segments that no index covers yet are not read unless they hold the key', async () => {
	await using folder = await freshFolder()
	const counting = countingStore(fileStore(folder.path))
	const table = open(folder.path, counting.store)
	await archive(table, [0, 24_000], 3_000)
	await table.compact()
	await archive(table, [24_000, 24_350], 50)
	expect(await table.compact()).toEqual({ merged: 0, written: 0 })
	counting.take()
	const reads: number[] = []
	for (let n = 0; n < 24_350; n += 61) {
		expect(await readCells(table.read({ keys: [{ id: idOf(n) }] }))).toEqual([cellsOf(n)])
		const { data, dataBytes } = counting.take()
		reads.push(data)
		expect(dataBytes).toBeLessThanOrEqual(256 * 1024)
	}
	expect(reads.reduce((sum, count) => sum + count, 0) / reads.length).toBeLessThan(2.05)
	expect(Math.max(...reads)).toBeLessThanOrEqual(4)
})

test('a large segment is sorted in parts, which are still read in log order', async () => {
	await using folder = await freshFolder()
	const table = open(folder.path)
	await archive(table, [0, 400_000], 200_000)
	expect(await table.compact()).toMatchObject({ merged: 2, written: 4 })
	expect(await table.compact()).toEqual({ merged: 0, written: 0 })
	const ordinals = async (query: ReadQuery) => (await readAll(table.read(query))).flatMap(({ ordinal }) => [...ordinal])
	const rising = Array.from({ length: 200_000 }, (_, at) => at)
	expect((await ordinals({})).join()).toBe([...rising, ...rising].join())
	expect((await ordinals({ transactions: [200_001n], descending: true })).join()).toBe(rising.toReversed().join())
	expect(await readCells(table.read({ keys: [{ id: idOf(250_000) }] }))).toEqual([cellsOf(250_000)])
}, 120_000)

test('a large segment without a key is left as it is, and read as before', async () => {
	await using folder = await freshFolder()
	const table = open(folder.path)
	const keyless = { ...source, key: [] }
	const changes = Array.from({ length: 6_000 }, (_, n) => ({ cells: cellsOf(n), position: 1n }))
	await table.commit({ source: 'l', position: 1n, segments: await table.write(changeRows(keyless, changes)) })
	expect(await table.compact({ minSegments: 1 })).toEqual({ merged: 0, written: 0 })
	expect(await namesIn(folder.path, '_index')).toEqual([])
	expect(await readCells(table.read({ keys: [{ id: idOf(77) }] }))).toEqual([cellsOf(77)])
})

test('a small merged segment that no index covers holds keys of several columns', async () => {
	await using folder = await freshFolder()
	const counting = countingStore(fileStore(folder.path))
	const table = open(folder.path, counting.store)
	const pair = sourceTable(source.columns, { key: ['n', 'note'] })
	const cells = Array.from({ length: 90 }, (_, n) => cellsOf(n % 2 === 0 ? n : n - 90))
	for (let first = 0; first < 90; first += 10) {
		const position = BigInt(first + 1)
		const changes = cells.slice(first, first + 10).map((own) => ({ cells: own, position }))
		await table.commit({ source: 'l', position, segments: await table.write(changeRows(pair, changes)) })
	}
	expect(await table.compact()).toEqual({ merged: 9, written: 1 })
	const find = async ([, n = '', note = '']: string[]) => await readCells(table.read({ keys: [{ n, note }] }))
	for (const own of cells) expect(await find(own)).toEqual([own])
	counting.take()
	expect(await find(cellsOf(-1_000))).toEqual([])
	expect(counting.take()).toMatchObject({ data: 0, dataBytes: 0 })
})

/** Deterministic numbers, so that a failure can be seen again. */
function random(seed: number): () => number {
	let state = seed
	return () => {
		state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
		return state / 2 ** 32
	}
}

const next = random(11)
const pick = <T>(values: readonly T[]) => values[Math.floor(next() * values.length)] as T
const padding = () => Array.from({ length: 200 }, () => Math.floor(next() * 2 ** 32).toString(36)).join('')

const price = column(1, 'price', 'numeric', numericTypmod(10, 2))
const versions = [
	sourceTable([price, column(2, 'code', 'integer'), column(3, 'name', 'text'), column(4, 'pad', 'text')], {
		key: ['price', 'code', 'name'],
	}),
	sourceTable([price, column(2, 'code', 'bigint'), column(3, 'name', 'text'), column(4, 'pad', 'text')], {
		key: ['name', 'code'],
	}),
]
const prices = [null, '1.00', '01.00', '10.00', '9.50', 'NaN', '-0.05', '100.00']
const codes = [null, '7', '007', '+7', '10', '9', '-2147483648', '2147483647']
const names = [null, '', 'a', 'b', 'a\u0000'.slice(0, 1), '😀', 'x'.repeat(300), `${'x'.repeat(299)}y`, '7', 'NULL']

function randomChange(position: bigint, ordinal: number): Change {
	const isRare = next() < 0.5
	const code = isRare ? String(Math.floor(next() * 5_000)) : pick(codes)
	return { cells: [pick(prices), code, pick(names), padding()], position, ordinal }
}

function randomKey(changes: readonly Change[]): Record<string, string | null> {
	const [a = null, b = null, c = null, d = null] = pick(changes).cells
	const kind = next()
	if (kind < 0.4) return { price: a, code: b, name: c }
	if (kind < 0.6) return { code: b, name: c }
	if (kind < 0.7) return { pad: d, price: a, name: c, code: b }
	if (kind < 0.8) return { price: pick(prices), code: pick(codes), name: pick(names) }
	if (kind < 0.9) return { price: a, code: '4999999', name: c }
	return { code: b, pad: d }
}

function expected(changes: readonly Change[], { keys = [], positions, limit, descending }: ReadQuery) {
	const columns = versions[0]?.columns.map((column) => column.name) ?? []
	const found = changes.filter(
		({ cells, position }) =>
			(positions?.from === undefined || position >= positions.from) &&
			keys.some((key) => Object.entries(key).every(([column, text]) => cells[columns.indexOf(column)] === text)),
	)
	if (descending) found.reverse()
	return found.slice(0, limit).map(({ cells }) => cells)
}

test('keys of several columns, with NULLs and odd texts, are found as by looking at every row, at any stage', async () => {
	await using folder = await freshFolder()
	const counting = countingStore(fileStore(folder.path))
	const table = open(folder.path, counting.store)
	const changes: Change[] = []
	let indexReads = 0
	for (let stage = 1; stage <= 24; stage++) {
		const position = BigInt(stage * 10)
		const count = stage % 4 === 0 ? 1_500 : 100
		const some = Array.from({ length: count }, (_, ordinal) => randomChange(position, ordinal))
		changes.push(...some)
		const rows = changeRows(versions[stage % 5 === 0 ? 1 : 0] as (typeof versions)[0], some)
		await table.commit({ source: 'l', position, segments: await table.write(rows) })
		if (stage % 3 === 0) await table.compact({ minSegments: pick([1, 2, 3, 8]), batchRows: pick([800, 3_000, 20_000]) })
		for (let round = 0; round < 8; round++) {
			const query: ReadQuery = {
				keys: Array.from({ length: pick([1, 1, 2, 5]) }, () => randomKey(changes)),
				...(next() < 0.2 ? { positions: { from: pick(changes).position } } : {}),
				...(next() < 0.2 ? { limit: 2 } : {}),
				...(next() < 0.3 ? { descending: true } : {}),
			}
			counting.take()
			const found = await readCells(table.read(query))
			expect(found, `stage ${stage}: ${JSON.stringify(query.keys)}`).toEqual(expected(changes, query))
			indexReads += counting.take().index
		}
	}
	expect(indexReads).toBeGreaterThan(60)
	expect((await Array.fromAsync(table.verify())).filter(({ problem }) => problem)).toEqual([])
}, 120_000)

const folderOf = (path: string) => join(path, 'shop/public/customer')
const namesIn = async (path: string, part: string) => await readdir(join(folderOf(path), part)).catch(() => [])

test('a flipped bit in a slice or in the index is refused by the name of its object before a row leaves', async () => {
	await using folder = await freshFolder()
	await archive(open(folder.path), [0, 24_000], 3_000)
	await open(folder.path).compact()
	const keys = Array.from({ length: 60 }, (_, at) => at * 400)
	const refusals = { _index: 0, data: 0 }
	const [index = ''] = await namesIn(folder.path, '_index')
	const segments = await namesIn(folder.path, 'data')
	const sizes = await Promise.all(segments.map((one) => readFile(join(folderOf(folder.path), 'data', one))))
	const merged = segments[sizes.findIndex(({ length }) => length === Math.max(...sizes.map((one) => one.length)))] ?? ''
	for (const [part, object] of [
		['_index', index],
		['data', merged],
	] as const) {
		const file = join(folderOf(folder.path), part, object)
		const bytes = await readFile(file)
		for (let region = 0; region < 24; region++) {
			const at = Math.floor((bytes.length * (region + 0.5)) / 24)
			const damaged = Buffer.from(bytes)
			damaged[at] = (damaged[at] as number) ^ (1 << (at % 8))
			await writeFile(file, damaged)
			const table = open(folder.path)
			const outcomes = await Promise.allSettled(keys.map((n) => readCells(table.read({ keys: [{ id: idOf(n) }] }))))
			outcomes.forEach((outcome, number) => {
				if (outcome.status === 'fulfilled') expect(outcome.value).toEqual([cellsOf(keys[number] as number)])
				else {
					refusals[part]++
					const message = expect.stringContaining(`${part}/${object}`)
					expect(outcome.reason).toMatchObject({ code: 'VAULT_CORRUPT', message })
				}
			})
			const problems = (await Array.fromAsync(table.verify())).filter(({ problem }) => problem)
			expect(problems.map((found) => found.object)).toEqual([`shop/public/customer/${part}/${object}`])
		}
		await writeFile(file, bytes)
	}
	expect(refusals._index).toBeGreaterThan(24)
	expect(refusals.data).toBeGreaterThan(24)
}, 120_000)

test('a damaged index object that is deleted is made again by the next compaction', async () => {
	await using folder = await freshFolder()
	const path = folder.path
	await archive(open(path), [0, 24_000], 3_000)
	await open(path).compact()
	const [index = ''] = await namesIn(path, '_index')
	await fileStore(path).delete(`shop/public/customer/_index/${index}`)
	const look = () => readCells(open(path).read({ keys: [{ id: idOf(5) }] }))
	await expect(look()).rejects.toMatchObject({
		code: 'VAULT_CORRUPT',
		hint: 'Delete this object; the next compaction of the table makes the index again.',
	})
	await open(path).compact()
	expect(await look()).toEqual([cellsOf(5)])
	expect(await namesIn(path, '_index')).not.toContain(index)
})

test('a flipped bit that a rewriting of the index meets makes it anew from the segments', async () => {
	await using folder = await freshFolder()
	const path = folder.path
	await archive(open(path), [0, 24_000], 3_000)
	await open(path).compact()
	const [index = ''] = await namesIn(path, '_index')
	const file = join(folderOf(path), '_index', index)
	const bytes = await readFile(file)
	bytes[3_000] = (bytes[3_000] as number) ^ 8
	await writeFile(file, bytes)
	await archive(open(path), [24_000, 48_000], 3_000)
	await open(path).compact()
	for (const n of [5, 23_999, 24_000, 47_999])
		expect(await readCells(open(path).read({ keys: [{ id: idOf(n) }] }))).toEqual([cellsOf(n)])
	expect((await Array.fromAsync(open(path).verify())).filter(({ problem }) => problem)).toEqual([])
})

/** A store that dies at its n-th write, before or after it took effect, and does nothing from then on. */
function dyingStore(store: Store, writes: number, isAfter: boolean): Store {
	let left = writes
	const write = async <T>(act: () => Promise<T>): Promise<T> => {
		if (left-- > 0) return await act()
		if (left === -1 && isAfter) await act()
		throw new Error('killed')
	}
	const read = async <T>(act: () => Promise<T>): Promise<T> => {
		if (left < 0) throw new Error('killed')
		return await act()
	}
	return {
		...store,
		get: (key) => read(() => store.get(key)),
		put: (key, bytes) => write(() => store.put(key, bytes)),
		replace: (key, bytes) => write(() => store.replace(key, bytes)),
		delete: (key) => write(() => store.delete(key)),
	}
}

test('a compaction killed before or after any of its writes loses and doubles nothing, and the next one ends it', async () => {
	await using folder = await freshFolder()
	const base = join(folder.path, 'base')
	await archive(open(base), [0, 4_000], 500)
	await open(base).compact({ minSegments: 1, batchRows: 1_000 })
	await archive(open(base), [4_000, 6_000], 500)
	const all = Array.from({ length: 6_000 }, (_, n) => cellsOf(n))
	const limits = { minSegments: 1, batchRows: 1_000 }
	let deaths = 0
	for (const isAfter of [false, true]) {
		for (let writes = 0; ; writes++) {
			const path = join(folder.path, `${isAfter}-${writes}`)
			await cp(base, path, { recursive: true })
			const isKilled = await open(path, dyingStore(fileStore(path), writes, isAfter))
				.compact(limits)
				.then(
					() => false,
					() => true,
				)
			if (!isKilled) break
			deaths++
			for (const round of ['killed', 'compacted again']) {
				const table = open(path)
				expect((await readCells(table.read({}))).length, `${round} ${writes}`).toBe(all.length)
				expect(await readCells(table.read({}))).toEqual(all)
				for (const n of [0, 3_999, 4_000, 5_999])
					expect(await readCells(table.read({ keys: [{ id: idOf(n) }] }))).toEqual([cellsOf(n)])
				expect((await Array.fromAsync(table.verify())).filter(({ problem }) => problem)).toEqual([])
				await table.compact(limits)
			}
		}
	}
	expect(deaths).toBeGreaterThan(8)
}, 120_000)

test('an index that another handle made meanwhile stays, and the late one leaves no object behind', async () => {
	await using folder = await freshFolder()
	await archive(open(folder.path), [0, 24_000], 6_000)
	const store = fileStore(folder.path)
	let others: string[] | undefined
	const overtaken: Store = {
		...store,
		async put(key, bytes) {
			if (key.includes('/_index/') && !others) {
				others = []
				await open(folder.path).compact({ minSegments: 1 })
				others = await namesIn(folder.path, '_index')
			}
			return await store.put(key, bytes)
		},
	}
	await open(folder.path, overtaken).compact({ minSegments: 1 })
	expect(others).toHaveLength(1)
	expect(await namesIn(folder.path, '_index')).toEqual(others)
	expect(await readCells(open(folder.path).read({ keys: [{ id: idOf(7) }] }))).toEqual([cellsOf(7)])
})

test('two handles that compact at once leave every key findable', async () => {
	await using folder = await freshFolder()
	await archive(open(folder.path), [0, 8_000], 500)
	const limits = { minSegments: 1, batchRows: 1_000 }
	await Promise.all([open(folder.path).compact(limits), open(folder.path).compact(limits)])
	for (let n = 0; n < 8_000; n += 173)
		expect(await readCells(open(folder.path).read({ keys: [{ id: idOf(n) }] }))).toEqual([cellsOf(n)])
	expect((await readAll(open(folder.path).read({}))).reduce((rows, { count }) => rows + count, 0)).toBe(8_000)
	expect((await Array.fromAsync(open(folder.path).verify())).filter(({ problem }) => problem)).toEqual([])
})
