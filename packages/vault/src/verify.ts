import { type Place, readStored, readWhole } from './archive.ts'
import { wasLetGo } from './let-go.ts'
import { parseEntry, type SegmentFile } from './log/actions.ts'
import { checkCheckpoint, newestCheckpoint, readCheckpoint } from './log/checkpoint.ts'
import type { Log } from './log/log.ts'
import { type GrowingState, growState, type LogState } from './log/state.ts'
import { checkpointDigestPath, checkpointPath, entryPath } from './paths.ts'
import { digestOf, isCorrupt, unlessCorrupt } from './seal.ts'
import type { VerifiedObject } from './vault.ts'

/**
 * Reads every object of one table's log and data: entries from the oldest that is left (seal and chain), checkpoints, and
 * the segments and index objects that the log names. It goes on past damage, so that one run names every bad object; what
 * upkeep cleans away meanwhile is none.
 */
export async function* verifyTable(place: Place, log: Log): AsyncIterable<VerifiedObject> {
	const listed = await listLog(place)
	const isCleaned = cleanedTest(place)
	const sealed = new Map<number, string | undefined>()
	for (const version of listed.checkpoints) {
		const { result, digest } = await verifyCheckpoint(place, version)
		if (result.problem && (await isCleaned(version))) continue
		yield result
		if (!result.problem) sealed.set(version, digest)
	}
	const state = await stateAt(place, [...sealed.keys()])
	const start = state.version
	let expected: string | undefined
	for (const version of listed.entries) {
		const { result, entry } = await verifyEntry(place, version, { follows: expected, sealed: sealed.get(version) })
		expected = entry?.digest
		if (entry && version > start) state.advance(entry, entry.digest)
		if (!result.problem || !(await isCleaned(version))) yield result
	}
	const isOutdated = await isCleaned(listed.entries[0] ?? Number.POSITIVE_INFINITY)
	yield* verifyNamed(place, log, (isOutdated && (await unlessCorrupt(log.refresh()))) || state)
}

/** The objects that a state names; those of the log's newest in place of what it let go of since. */
async function* verifyNamed(place: Place, log: Log, state: LogState): AsyncIterable<VerifiedObject> {
	const verified = new Set<string>()
	for (let named: Named[] | undefined = namedBy(state); named; ) {
		const left = named.filter(({ path }) => !verified.has(path))
		named = undefined
		for (const file of left) {
			const result = await verifyObject(place, log, file)
			if (result) yield result
			else named ??= namedBy(await log.refresh())
			verified.add(file.path)
		}
	}
}

type Named = Pick<SegmentFile, 'path' | 'size' | 'sha256'>

function namedBy({ files, meta }: LogState): Named[] {
	return [...files.values(), ...(meta?.index ?? []).flatMap((run) => run.shards)]
}

/** Checkpoints that are there, and every entry that must be: from the oldest, or the newest checkpoint's, to the newest. */
async function listLog({ store, folder }: Place): Promise<{ checkpoints: number[]; entries: number[] }> {
	const named = await newestCheckpoint(store, folder)
	const checkpoints = new Set(named < 0 ? [] : [named])
	const floors = [named]
	const entries: number[] = []
	for await (const { key } of store.list(`${folder}/_delta_log/`)) {
		const [, version, kind] = /\/(\d{20})\.(json|checkpoint\.\w+)$/.exec(key) ?? []
		if (kind === 'json') entries.push(Number(version))
		if (kind === 'checkpoint.parquet') checkpoints.add(Number(version))
		if (kind === 'checkpoint.seal') floors.push(Number(version))
	}
	const floor = Math.max(...floors)
	const oldest = Math.min(entries[0] ?? floor, floor < 0 ? Number.POSITIVE_INFINITY : floor)
	const newest = Math.max(entries.at(-1) ?? -1, floor)
	const length = newest < 0 ? 0 : newest - oldest + 1
	return {
		checkpoints: [...checkpoints].sort((a, b) => a - b),
		entries: Array.from({ length }, (_, at) => oldest + at),
	}
}

/** Tells whether upkeep has cleaned the log since it was listed, up to an entry or a checkpoint and beyond it. */
function cleanedTest({ store, folder }: Place): (version: number) => Promise<boolean> {
	let oldest = -1
	return async (version) => {
		if (version < oldest) return true
		if (version >= (await newestCheckpoint(store, folder))) return false
		for await (const { key } of store.list(`${folder}/_delta_log/`)) {
			const entry = /\/(\d{20})\.json$/.exec(key)
			if (!entry) continue
			oldest = Number(entry[1])
			break
		}
		return version < oldest
	}
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

/** What the newest sound checkpoint holds: a cleaned log has no entries for it. Without any, the state before the first entry. */
async function stateAt({ store, folder }: Place, checkpoints: readonly number[]): Promise<GrowingState> {
	for (const version of checkpoints.toReversed()) {
		const state = await unlessCorrupt(readCheckpoint(store, folder, version))
		if (state) return state
	}
	return growState()
}

async function verifyEntry(
	{ store, folder }: Pick<Place, 'store' | 'folder'>,
	version: number,
	{ follows, sealed }: { follows?: string; sealed?: string },
) {
	const object = `${folder}/${entryPath(version)}`
	const base = { object, bytes: 0 }
	try {
		const bytes = await store.get(object)
		if (bytes === undefined) return { result: { ...base, problem: 'it is missing' }, entry: undefined }
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

/** Undefined for one that the log let go of since the state was read. */
async function verifyObject(place: Place, log: Log, file: Named): Promise<VerifiedObject | undefined> {
	const object = `${place.folder}/${file.path}`
	try {
		await (place.keys ? readWhole(place, file) : readStored(place, file))
		return { object, bytes: file.size }
	} catch (error) {
		if (await unlessCorrupt(wasLetGo(error, place, log))) return undefined
		return { object, bytes: (await place.store.size(object)) ?? 0, problem: problemOf(error) }
	}
}

function problemOf(error: unknown): string {
	if (isCorrupt(error)) return error.message
	throw error
}
