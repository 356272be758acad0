import type { Place } from './archive.ts'
import { indexPaths } from './let-go.ts'
import { newestCheckpoint } from './log/checkpoint.ts'
import type { Log } from './log/log.ts'
import type { Store, StoredObject } from './store.ts'

export type SweepOptions = {
	/** How long an object stays after the log let go of it, in milliseconds. Default 7 days. */
	retentionMs?: number
	/** Milliseconds since 1970 by a second clock; the earlier one decides. Default: this process's clock alone. */
	now?: number
}

const week = 7 * 24 * 3_600_000

/**
 * Deletes segments and index objects that were replaced, or never committed, longer ago than the retention; and log entries and checkpoints
 * as old that lie below the newest checkpoint. Objects are listed before the log is read, so that what a commit names
 * meanwhile is never among those to delete.
 */
export async function sweepTable(
	place: Place,
	log: Log,
	{ retentionMs = week, now = Number.POSITIVE_INFINITY }: SweepOptions,
	clock: () => number,
): Promise<{ segments: number; entries: number }> {
	const { store, folder } = place
	const before = Math.min(clock(), now) - retentionMs
	const objects = await Array.fromAsync(store.list(`${folder}/data/`))
	for await (const object of store.list(`${folder}/_index/`)) objects.push(object)
	const { files, tombstones, meta } = await log.refresh()
	const shards = indexPaths(meta)
	const unused = objects.filter(({ key, modifiedAt }) => {
		const path = key.slice(folder.length + 1)
		return !files.has(path) && !shards.has(path) && (tombstones.get(path)?.removedAt ?? modifiedAt) < before
	})
	const segments = await deleteAll(store, unused)
	return { segments, entries: await deleteAll(store, await oldEntries(place, before)) }
}

/** How many of the objects went; what retention keeps is tried again by a later sweep. */
async function deleteAll(store: Store, objects: readonly StoredObject[]): Promise<number> {
	let deleted = 0
	for (const { key } of objects) if ((await store.delete(key)) === 'deleted') deleted += 1
	return deleted
}

/** The newest checkpoint's own entry stays: readers need it to find the table at all. */
async function oldEntries({ store, folder }: Place, before: number): Promise<StoredObject[]> {
	const floor = await newestCheckpoint(store, folder)
	const old: StoredObject[] = []
	for await (const object of store.list(`${folder}/_delta_log/`)) {
		const match = /\/(\d{20})\.(json|checkpoint\.\w+)$/.exec(object.key)
		if (match && Number(match[1]) < floor && object.modifiedAt < before) old.push(object)
	}
	return old
}
