import { randomUUID } from 'node:crypto'
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { fileStore } from '../stores/file.ts'
import { type Entries, everywhere, growEntries, type IndexEntry } from './entries.ts'
import { hashKey, hashSpan, seedOf } from './hash.ts'
import { decodePage, encodePages, pageBytes, partOf } from './page.ts'
import { type IndexRun, writeRun } from './run.ts'

const seed = seedOf('0f8fad5b-d9cb-469f-a165-70867728950e')
const hashOf = (n: number) => hashKey(seed, [String(n)])

async function freshPlace() {
	const path = await mkdtemp(join(tmpdir(), 'reprieve-index-'))
	const remove = () => rm(path, { recursive: true, force: true })
	return { path, place: { store: fileStore(path), folder: 't', newId: randomUUID }, [Symbol.asyncDispose]: remove }
}

function entriesOf(list: Pick<IndexEntry, 'hash' | 'segment'>[]): Entries {
	const entries = growEntries(0)
	for (const [at, entry] of list.entries()) entries.push({ ...entry, offset: at % 1000, size: 1 + (at % 70) })
	return entries
}

/** Every entry of the pages, as text; each must lie in the page of its hash. */
function entriesIn(path: string, bytes: Uint8Array, { from, span }: { from: number; span: number }): string[] {
	const pages = bytes.length / pageBytes
	return Array.from({ length: pages }, (_, page) => page).flatMap((page) => {
		const entries = decodePage('o', { path, page }, bytes.subarray(page * pageBytes, (page + 1) * pageBytes))
		return Array.from({ length: entries.count }, (_, at) => {
			expect(partOf((entries.hash[at] as number) - from, span, pages)).toBe(page)
			return [entries.hash[at], entries.segment[at], entries.offset[at], entries.size[at]].join(' ')
		})
	})
}

async function entriesOfRun(root: string, run: IndexRun): Promise<string[]> {
	const span = hashSpan / run.shards.length
	const parts = run.shards.map(async ({ path }, at) =>
		entriesIn(path, await readFile(join(root, 't', path)), { from: at * span, span }),
	)
	return (await Promise.all(parts)).flat().sort()
}

const whole = { from: 0, span: hashSpan }

test('pages give back every entry, each in the page of its hash', () => {
	const list = Array.from({ length: 20_000 }, (_, n) => ({ hash: hashOf(n), segment: n % 300 }))
	const entries = entriesOf(list)
	const bytes = encodePages('p', entries, whole)
	const expected = list.map(({ hash, segment }, at) => [hash, segment, at % 1000, 1 + (at % 70)].join(' '))
	expect(entriesIn('p', bytes, whole).sort()).toEqual(expected.sort())
	expect(bytes.length / pageBytes).toBe(Math.ceil(20_000 / (1257 * 0.85)))
})

test('a hash that crowds out a page is noted once, as lying everywhere, and the others keep their places', () => {
	const others = Array.from({ length: 900 }, (_, n) => ({ hash: hashOf(n), segment: n }))
	const crowd = Array.from({ length: 3_000 }, (_, segment) => ({ hash: hashOf(123), segment }))
	const found = entriesIn('p', encodePages('p', entriesOf([...others, ...crowd]), whole), whole)
	expect(found.filter((entry) => entry.startsWith(`${hashOf(123)} `))).toEqual([`${hashOf(123)} ${everywhere} 123 54`])
	expect(found).toHaveLength(900)
})

test('hashes of rising and of equal-looking keys spread evenly, and cells do not run into each other', () => {
	const pages = Map.groupBy(
		Array.from({ length: 100_000 }, (_, n) => n),
		(n) => partOf(hashOf(n), hashSpan, 100),
	)
	const sizes = [...pages.values()].map(({ length }) => length)
	expect(sizes).toHaveLength(100)
	expect(Math.min(...sizes)).toBeGreaterThan(850)
	expect(Math.max(...sizes)).toBeLessThan(1150)
	const keys = [
		['ab', 'c'],
		['a', 'bc'],
		['abc', ''],
		['abc', null],
		[null, 'abc'],
		['', 'abc'],
	]
	expect(new Set(keys.map((cells) => hashKey(seed, cells))).size).toBe(keys.length)
	expect(hashKey(seed, ['é'])).toBe(hashKey(seed, [Buffer.from('é')]))
	expect(hashKey(seedOf('1f8fad5b-d9cb-469f-a165-70867728950e'), ['1'])).not.toBe(hashOf(1))
})

test('runs of other numbers of objects become one, without the segments that are gone', async () => {
	await using fresh = await freshPlace()
	const { place, path } = fresh
	const covers = (name: string) => Array.from({ length: 10 }, (_, at) => `${name}${at}`)
	const list = (from: number, to: number) =>
		Array.from({ length: to - from }, (_, at) => ({ hash: hashOf(from + at), segment: at % 10 }))
	const none = { entries: growEntries(0), covers: [] }
	const make = async (rows: [number, number], name: string, shardRows: number) =>
		(await writeRun(place, {
			...{ runs: [], isLive: () => true, shardRows },
			fresh: { entries: entriesOf(list(...rows)), covers: covers(name) },
		})) as IndexRun
	const [large, small] = [await make([0, 5_000], 'a', 400), await make([5_000, 6_000], 'b', 10_000)]
	expect([large.shards.length, small.shards.length]).toEqual([16, 1])
	const isLive = (segment: string) => segment !== 'a3' && segment !== 'b0'
	const run = (await writeRun(place, { runs: [large, small], fresh: none, isLive, shardRows: 2_000 })) as IndexRun
	expect(run.shards).toHaveLength(4)
	expect(run.covers).toEqual([...covers('a'), ...covers('b')].filter(isLive))
	const expected = [...list(0, 5_000), ...list(5_000, 6_000)].flatMap((entry, at) => {
		const by = at < 5_000 ? 'a' : 'b'
		const place = at < 5_000 ? at : at - 5_000
		if (!isLive(`${by}${entry.segment}`)) return []
		return [[entry.hash, run.covers.indexOf(`${by}${entry.segment}`), place % 1000, 1 + (place % 70)].join(' ')]
	})
	expect(await entriesOfRun(path, run)).toEqual(expected.sort())
	expect(run.rows).toBe(expected.length)
})

test('a run with a damaged object is not taken into another, and nothing half-written stays', async () => {
	await using fresh = await freshPlace()
	const { place, path } = fresh
	const entries = entriesOf(Array.from({ length: 4_000 }, (_, n) => ({ hash: hashOf(n), segment: 0 })))
	const sources = { isLive: () => true, shardRows: 1_000 }
	const run = (await writeRun(place, { ...sources, runs: [], fresh: { entries, covers: ['a'] } })) as IndexRun
	const file = join(path, 't', run.shards[2]?.path as string)
	const bytes = await readFile(file)
	bytes[40] = (bytes[40] as number) ^ 1
	await writeFile(file, bytes)
	const more = { entries: growEntries(0), covers: [] }
	expect(await writeRun(place, { ...sources, runs: [run], fresh: more })).toBeUndefined()
	expect(await readdir(join(path, 't', '_index'))).toHaveLength(run.shards.length)
})
