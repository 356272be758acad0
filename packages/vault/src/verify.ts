import { type Place, readStored, readWhole } from './archive.ts'
import { parseEntry, type SegmentFile } from './log/actions.ts'
import { checkCheckpoint, findCheckpoint, newestCheckpoint, readCheckpoint } from './log/checkpoint.ts'
import { type GrowingState, growState } from './log/state.ts'
import { checkpointDigestPath, checkpointPath, entryPath } from './paths.ts'
import { digestOf, isCorrupt, unlessCorrupt } from './seal.ts'
import type { VerifiedObject } from './vault.ts'

/**
 * Reads every object of one table's log and data: entries from the oldest that is left (seal and chain), checkpoints, and
 * the segments and index objects that the log names. It goes on past damage, so that one run names every bad object.
 */
export async function* verifyTable(place: Place): AsyncIterable<VerifiedObject> {
	const { store, folder } = place
	const checkpoints: number[] = []
	const entries: number[] = []
	for await (const { key } of store.list(`${folder}/_delta_log/`)) {
		const entry = /\/(\d{20})\.json$/.exec(key)
		const checkpoint = /\/(\d{20})\.checkpoint\.parquet$/.exec(key)
		if (entry) entries.push(Number(entry[1]))
		if (checkpoint) checkpoints.push(Number(checkpoint[1]))
	}
	const sealed = new Map<number, string | undefined>()
	for (const version of checkpoints) {
		const { result, digest } = await verifyCheckpoint(place, version)
		yield result
		sealed.set(version, digest)
	}
	const state = await stateBefore(place, entries[0] ?? 0)
	let expected: string | undefined
	let next = entries[0] ?? 0
	for (const version of entries) {
		for (; next < version; next++) yield { object: `${folder}/${entryPath(next)}`, bytes: 0, problem: 'it is missing' }
		next = version + 1
		const follows = version === entries[0] ? undefined : expected
		const { result, entry } = await verifyEntry(place, version, { follows, sealed: sealed.get(version) })
		yield result
		expected = entry?.digest
		if (entry) state.advance(entry, entry.digest)
	}
	const newest = Math.max(await newestCheckpoint(store, folder), await findCheckpoint(store, folder))
	for (; next <= newest; next++) yield { object: `${folder}/${entryPath(next)}`, bytes: 0, problem: 'it is missing' }
	for (const file of state.files.values()) yield await verifyObject(place, file)
	for (const run of state.meta?.index ?? []) for (const shard of run.shards) yield await verifyObject(place, shard)
}

/** A table's newest entry as the log of transactions names it. */
export type Head = { version: number; digest: string }

/** Compares the tables' entries with those that the log of transactions names: a lost newest entry shows nowhere else. */
export async function* verifyHeads({ store, folder }: Place): AsyncIterable<VerifiedObject> {
	const heads = new Map<string, Head>()
	for await (const { key } of store.list(`${folder}/_delta_log/`)) {
		if (!/\/\d{20}\.json$/.test(key)) continue
		const { entry } = await verifyEntry({ store, folder }, Number(key.slice(-25, -5)), {})
		for (const [table, head] of Object.entries((entry?.facts?.heads ?? {}) as Record<string, Head>))
			heads.set(table, head)
	}
	for (const [table, { version, digest }] of heads) {
		const object = `${table}/${entryPath(version)}`
		const bytes = await unlessCorrupt(store.get(object))
		if (bytes === undefined && version < (await newestCheckpoint(store, table))) continue
		const found = bytes && digestOf(bytes)
		const problem =
			found === digest ? {} : { problem: `its digest is ${found}, the log of transactions says ${digest}` }
		yield { object, bytes: bytes?.length ?? 0, ...problem }
	}
}

/** What a cleaned log no longer has entries for, the checkpoint at its floor has. */
async function stateBefore({ store, folder }: Place, first: number): Promise<GrowingState> {
	if (first === 0) return growState()
	try {
		return await readCheckpoint(store, folder, first)
	} catch (error) {
		if (isCorrupt(error)) return growState()
		throw error
	}
}

async function verifyEntry(
	{ store, folder }: Pick<Place, 'store' | 'folder'>,
	version: number,
	{ follows, sealed }: { follows?: string; sealed?: string },
) {
	const object = `${folder}/${entryPath(version)}`
	const base = { object, bytes: 0 }
	try {
		const bytes = (await store.get(object)) ?? new Uint8Array()
		base.bytes = bytes.length
		const entry = parseEntry(object, bytes)
		if (sealed !== undefined && entry.digest !== sealed) {
			const problem = `its digest is ${entry.digest}, its checkpoint was written behind ${sealed}`
			return { result: { ...base, problem }, entry: undefined }
		}
		const isBroken = follows !== undefined && entry.previous !== follows
		const problem = isBroken ? `it follows entry ${entry.previous}, the one before it is ${follows}` : undefined
		return { result: { ...base, ...(problem ? { problem } : {}) }, entry }
	} catch (error) {
		return { result: { ...base, problem: problemOf(error) }, entry: undefined }
	}
}

async function verifyCheckpoint(place: Place, version: number) {
	const { store, folder } = place
	const object = `${folder}/${checkpointPath(version)}`
	const bytes = (await store.size(object)) ?? 0
	if (await isUnfinished(place, version)) return { result: { object, bytes }, digest: undefined }
	try {
		const { digest } = await checkCheckpoint(store, folder, version)
		return { result: { object, bytes }, digest }
	} catch (error) {
		return { result: { object, bytes, problem: problemOf(error) }, digest: undefined }
	}
}

/** One without its seal that the hint does not name: its writer is at work, or was killed at it. Nobody reads it. */
async function isUnfinished({ store, folder }: Place, version: number): Promise<boolean> {
	const isSealed = (await store.size(`${folder}/${checkpointDigestPath(version)}`)) !== undefined
	return !isSealed && version !== (await newestCheckpoint(store, folder))
}

async function verifyObject(
	place: Place,
	file: Pick<SegmentFile, 'path' | 'size' | 'sha256'>,
): Promise<VerifiedObject> {
	const object = `${place.folder}/${file.path}`
	try {
		await (place.keys ? readWhole(place, file) : readStored(place, file))
		return { object, bytes: file.size }
	} catch (error) {
		return { object, bytes: (await place.store.size(object)) ?? 0, problem: problemOf(error) }
	}
}

function problemOf(error: unknown): string {
	if (isCorrupt(error)) return error.message
	throw error
}
