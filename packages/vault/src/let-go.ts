import type { Place } from './archive.ts'
import type { TableMeta } from './log/actions.ts'
import type { Log } from './log/log.ts'
import { MissingObject } from './seal.ts'

/**
 * Whether an object is missing because the log let go of it, and a sweep deleted it, since the reader asked the log: then the
 * newest state names others in its place, and there is nothing to bring back.
 */
export async function wasLetGo(error: unknown, { folder }: Pick<Place, 'folder'>, log: Log): Promise<boolean> {
	if (!(error instanceof MissingObject)) return false
	const { files, meta } = await log.refresh()
	const path = error.object.slice(folder.length + 1)
	return !files.has(path) && !indexPaths(meta).has(path)
}

/** What a reading answers, or undefined when the log let go of what it was to read. */
export async function unlessLetGo<T>(reading: Promise<T>, place: Place, log: Log): Promise<T | undefined> {
	try {
		return await reading
	} catch (error) {
		if (await wasLetGo(error, place, log)) return undefined
		throw error
	}
}

/** Paths of the objects of a table's key index. */
export function indexPaths(meta: TableMeta | undefined): Set<string> {
	return new Set(meta?.index?.flatMap((run) => run.shards.map(({ path }) => path)))
}
