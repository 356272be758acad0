import type { Place } from '../archive.ts'
import { digestOf } from '../seal.ts'
import { putOnce } from '../store.ts'
import { type Entries, everywhere, growEntries } from './entries.ts'
import { hashSpan } from './hash.ts'
import { decodePage, encodePages, pageBytes, partOf } from './page.ts'

/** One object of a run, with an equal part of the hashes. */
export type IndexShard = { path: string; size: number; sha256: string }

/** A part of a table's key index, complete for the segments that it covers, whether the log still names them or not. */
export type IndexRun = {
	rows: number
	/** As many as a power of two, in the order of the hashes. */
	shards: IndexShard[]
	/** Paths of segments; entries name them by their place here. */
	covers: string[]
}

/** What a new run is made of. */
export type RunSources = {
	runs: readonly IndexRun[]
	/** Entries that are in no run yet, and the segments that they number. */
	fresh: { entries: Entries; covers: readonly string[] }
	/** Whether a segment's entries are still worth keeping. */
	isLive: (path: string) => boolean
	/** Entries of one object on average at most. */
	shardRows: number
}

/**
 * Writes the runs given and what is fresh as one run, an object at a time. Answers undefined, leaving nothing behind, when an
 * object of theirs is damaged.
 */
export async function writeRun(place: Place, sources: RunSources): Promise<IndexRun | undefined> {
	const { covers, numbers } = numberSegments(sources)
	const total = sources.runs.reduce((rows, run) => rows + run.rows, sources.fresh.entries.count)
	const count = 2 ** Math.max(0, Math.ceil(Math.log2(total / sources.shardRows)))
	const span = hashSpan / count
	const readers = sources.runs.map((run, at) => openRun(place, run, numbers[at] as Int32Array))
	const shards: IndexShard[] = []
	let rows = 0
	const entries = growEntries(Math.ceil((total / count) * 1.1))
	for (let from = 0; from < hashSpan; from += span) {
		entries.clear()
		const areWhole = await Promise.all(readers.map((reader) => reader.copy(entries, from, from + span)))
		if (areWhole.includes(false)) {
			await deleteShards(place, shards)
			return undefined
		}
		copyEntries(sources.fresh.entries, { entries, numbers: numbers.at(-1) as Int32Array, from, to: from + span })
		shards.push(await writeShard(place, entries, { from, span }))
		rows += entries.count
	}
	return { rows, shards, covers }
}

/** Deletes objects of an index that no log entry names. */
export async function deleteShards({ store, folder }: Place, shards: readonly IndexShard[]): Promise<void> {
	for (const { path } of shards) await store.delete(`${folder}/${path}`)
}

/** The object's bytes, or undefined when they are not what was written. */
async function readShard(
	{ store, folder }: Place,
	{ path, size, sha256 }: IndexShard,
): Promise<Uint8Array | undefined> {
	const bytes = await store.get(`${folder}/${path}`)
	return bytes?.length === size && digestOf(bytes) === sha256 ? bytes : undefined
}

/** New numbers of the segments that stay: by source and old number, -1 for one that goes. */
function numberSegments({ runs, fresh, isLive }: RunSources): { covers: string[]; numbers: Int32Array[] } {
	const covers: string[] = []
	const numbers = [...runs, fresh].map((source) =>
		Int32Array.from(source.covers, (path) => (isLive(path) ? covers.push(path) - 1 : -1)),
	)
	return { covers, numbers }
}

/** Reads a run in the order of its hashes, one object in memory, a page at a time; `copy` answers false for a damaged one. */
function openRun(place: Place, run: IndexRun, numbers: Int32Array) {
	const span = hashSpan / run.shards.length
	let open: { at: number; bytes: Uint8Array } | undefined
	const load = async (at: number): Promise<Uint8Array | undefined> => {
		if (open?.at === at) return open.bytes
		open = undefined
		const bytes = await readShard(place, run.shards[at] as IndexShard)
		if (bytes) open = { at, bytes }
		return bytes
	}
	return {
		async copy(entries: Entries, from: number, to: number): Promise<boolean> {
			for (let at = Math.floor(from / span); at * span < to; at++) {
				const bytes = await load(at)
				if (!bytes) return false
				const { path } = run.shards[at] as IndexShard
				const pages = bytes.length / pageBytes
				const [first, end] = [Math.max(from - at * span, 0), Math.min(to - at * span, span)]
				for (let page = partOf(first, span, pages); page <= partOf(end - 1, span, pages); page++) {
					const content = bytes.subarray(page * pageBytes, (page + 1) * pageBytes)
					copyEntries(decodePage(path, { path, page }, content), { entries, numbers, from, to })
				}
			}
			return true
		},
	}
}

function copyEntries(
	source: Entries,
	{ entries, numbers, from, to }: { entries: Entries; numbers: Int32Array; from: number; to: number },
): void {
	for (let at = 0; at < source.count; at++) {
		const hash = source.hash[at] as number
		const number = source.segment[at] as number
		const segment = number === everywhere ? everywhere : (numbers[number] as number)
		if (hash < from || hash >= to || segment < 0) continue
		entries.push({ hash, segment, offset: source.offset[at] as number, size: source.size[at] as number })
	}
}

async function writeShard(
	{ store, folder, newId }: Place,
	entries: Entries,
	range: { from: number; span: number },
): Promise<IndexShard> {
	const path = `_index/${newId()}.keys`
	const bytes = encodePages(path, entries, range)
	await putOnce(store, `${folder}/${path}`, bytes)
	return { path, size: bytes.length, sha256: digestOf(bytes) }
}
