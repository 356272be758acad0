import type { Entry, SegmentFile, TableMeta, Tombstone } from './actions.ts'

/** How long a removed segment is remembered; the entry's own time counts, so that a checkpoint follows from the state. */
export const tombstoneMs = 8 * 24 * 3_600_000

/** What a log says up to one of its entries. */
export type LogState = {
	/** Number of the newest entry; -1 before the first. */
	readonly version: number
	/** Digest of that entry; '' before the first. */
	readonly digest: string
	/** Time of that entry, milliseconds since 1970. */
	readonly timestamp: number
	readonly meta?: TableMeta
	readonly files: ReadonlyMap<string, SegmentFile>
	readonly tombstones: ReadonlyMap<string, Tombstone>
	/** Newest position of each source. */
	readonly transactions: ReadonlyMap<string, bigint>
}

/** A state that its one owner carries forward in place, so that an entry costs what it brings, not what the table holds. */
export type GrowingState = LogState & {
	/** Takes in the next entry. */
	advance(entry: Entry, digest: string): void
}

/** A state to carry forward; by default the one before the first entry. */
export function growState(from?: LogState): GrowingState {
	const files = new Map(from?.files)
	const tombstones = new Map([...(from?.tombstones ?? [])].sort(([, a], [, b]) => a.removedAt - b.removedAt))
	const transactions = new Map(from?.transactions)
	let { version, digest, timestamp, meta } = from ?? { version: -1, digest: '', timestamp: 0, meta: undefined }
	return {
		get version() {
			return version
		},
		get digest() {
			return digest
		},
		get timestamp() {
			return timestamp
		},
		get meta() {
			return meta
		},
		files,
		tombstones,
		transactions,
		advance(entry, entryDigest) {
			for (const tombstone of entry.removes) {
				files.delete(tombstone.path)
				tombstones.set(tombstone.path, tombstone)
			}
			for (const file of entry.adds) files.set(file.path, file)
			for (const { source, position } of entry.transactions) transactions.set(source, position)
			meta = entry.meta ?? meta
			version += 1
			digest = entryDigest
			timestamp = entry.timestamp
			for (const { path, removedAt } of tombstones.values()) {
				if (removedAt > timestamp - tombstoneMs) break
				tombstones.delete(path)
			}
		},
	}
}
