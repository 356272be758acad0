import type { SourceTable } from '@reprieve/contracts'
import type { Place } from '../archive.ts'
import type { SegmentFile, TableMeta } from '../log/actions.ts'
import { MissingObject } from '../seal.ts'
import type { Slice } from '../segment/slices.ts'
import { type Entries, everywhere, unpackSlice } from './entries.ts'
import { filterSeed, mayHold, parseFilters } from './filter.ts'
import { hashKey, hashSpan, type Seed, seedOf } from './hash.ts'
import { decodePage, pageBytes, partOf, rebuildHint } from './page.ts'
import type { IndexRun, IndexShard } from './run.ts'

type Key = Record<string, string | null>

/** Page reads that are under way at once. */
const readsAtOnce = 8

/** A page of a run, and the hashes that are looked for in it. */
type Wanted = { shard: IndexShard; page: number; hashes: Set<number> }

/**
 * Slices of segments that may hold rows of the keys, by segment; none for a segment that holds no such row, and no answer for
 * one that the index does not know or that is as well read as a whole. Throws VAULT_CORRUPT naming a damaged index object.
 */
export async function findSlices(
	place: Place,
	{ meta, files }: { meta: TableMeta; files: readonly SegmentFile[] },
	keys: readonly Key[],
): Promise<Map<string, Slice[]>> {
	const found = new Map<string, Slice[]>()
	for (const file of files) {
		const slices = filteredSlices(file, meta, keys)
		if (slices) found.set(file.path, slices)
	}
	const open = files.filter(({ filters }) => filters === undefined)
	const hashes = hashesBySchema(meta, keys)
	const answers = await Promise.all((meta.index ?? []).map((run) => askRun(place, run, { files: open, hashes })))
	return new Map([...found, ...answers.flat()])
}

/** What one run says of the segments that it covers. */
async function askRun(
	place: Place,
	run: IndexRun,
	{ files, hashes }: { files: readonly SegmentFile[]; hashes: Map<number, Set<number> | undefined> },
): Promise<[string, Slice[]][]> {
	const numbers = new Map(run.covers.map((path, number) => [path, number]))
	const covered = files.flatMap(({ path, schema, size }) => {
		const number = numbers.get(path)
		const own = hashes.get(schema ?? -1)
		return number === undefined || own === undefined ? [] : [{ path, size, number, own }]
	})
	const pages = pagesOf(run, new Set(covered.flatMap(({ own }) => [...own])))
	const bytes = covered.reduce((sum, { size }) => sum + size, 0)
	if (covered.length === 0 || pages.length * pageBytes >= bytes) return []
	const hits = Map.groupBy(await readPages(place, pages), ({ hash }) => hash)
	return covered.flatMap(({ path, number, own }): [string, Slice[]][] => {
		const wanted = [...own].flatMap((hash) => hits.get(hash) ?? [])
		const slices = wanted
			.filter(({ segment }) => segment === number || segment === everywhere)
			.map(({ slice }) => slice)
		return slices.includes(undefined) ? [] : [[path, distinct(slices as Slice[])]]
	})
}

/** What a small segment's own filters say; no answer when a key leaves key columns open, or the whole is to be read. */
function filteredSlices({ path, schema, filters }: SegmentFile, meta: TableMeta, keys: readonly Key[]) {
	const table = meta.schemas[schema ?? -1]
	const hashes = filters === undefined || !table ? undefined : hashesOf(table, filterSeed(path), keys)
	if (filters === undefined || !hashes) return undefined
	const parts = parseFilters(filters).filter((filter) => [...hashes].some((hash) => mayHold(filter, hash)))
	const slices = parts.map(({ slice }) => slice)
	return slices.includes(undefined) ? undefined : (slices as Slice[])
}

/** The keys' hashes under each schema version. */
function hashesBySchema(meta: TableMeta, keys: readonly Key[]): Map<number, Set<number> | undefined> {
	const seed = seedOf(meta.id)
	return new Map(meta.schemas.map((table, schema) => [schema, hashesOf(table, seed, keys)]))
}

/** None for a schema version of which a key leaves key columns open. */
function hashesOf({ key: names }: SourceTable, seed: Seed, keys: readonly Key[]): Set<number> | undefined {
	const isWhole = names.length > 0 && keys.every((key) => names.every((name) => Object.hasOwn(key, name)))
	if (!isWhole) return undefined
	return new Set(
		keys.map((key) =>
			hashKey(
				seed,
				names.map((name) => key[name] ?? null),
			),
		),
	)
}

function pagesOf(run: IndexRun, hashes: ReadonlySet<number>): Wanted[] {
	const wanted = new Map<string, Wanted>()
	const span = hashSpan / run.shards.length
	for (const hash of hashes) {
		const shard = run.shards[partOf(hash, hashSpan, run.shards.length)] as IndexShard
		const page = partOf(hash % span, span, shard.size / pageBytes)
		const known = wanted.get(`${shard.path}#${page}`) ?? { shard, page, hashes: new Set() }
		known.hashes.add(hash)
		wanted.set(`${shard.path}#${page}`, known)
	}
	return [...wanted.values()]
}

type Hit = { hash: number; segment: number; slice: Slice | undefined }

async function readPages(place: Place, pages: readonly Wanted[]): Promise<Hit[]> {
	const hits: Hit[] = []
	for (let at = 0; at < pages.length; at += readsAtOnce) {
		const some = pages.slice(at, at + readsAtOnce)
		for (const own of await Promise.all(some.map((wanted) => readPage(place, wanted)))) hits.push(...own)
	}
	return hits
}

async function readPage({ store, folder }: Place, { shard, page, hashes }: Wanted): Promise<Hit[]> {
	const object = `${folder}/${shard.path}`
	const bytes = await store.getRange(object, page * pageBytes, (page + 1) * pageBytes)
	if (!bytes) throw new MissingObject(object, { hint: rebuildHint })
	return pick(decodePage(object, { path: shard.path, page }, bytes), hashes)
}

function pick(entries: Entries, hashes: ReadonlySet<number>): Hit[] {
	const hits: Hit[] = []
	for (let at = 0; at < entries.count; at++) {
		const hash = entries.hash[at] as number
		if (!hashes.has(hash)) continue
		const slice = unpackSlice({ offset: entries.offset[at] as number, size: entries.size[at] as number })
		const segment = entries.segment[at] as number
		hits.push({ hash, segment, slice: segment === everywhere ? undefined : slice })
	}
	return hits
}

function distinct(slices: readonly Slice[]): Slice[] {
	const byOffset = new Map(slices.map((slice) => [slice.offset, slice]))
	return [...byOffset.values()].sort((a, b) => a.offset - b.offset)
}
