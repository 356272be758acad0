import { entryPath } from '../paths.ts'
import { corrupt, isCorrupt } from '../seal.ts'
import { putOnce, type Store } from '../store.ts'
import { type Entry, type FixedColumn, formatEntry, parseEntry, unlisted } from './actions.ts'
import { findCheckpoint, newestCheckpoint, readCheckpoint, writeCheckpoint } from './checkpoint.ts'
import { type GrowingState, growState, type LogState } from './state.ts'

/** What a writer wants to append to a log; `undefined` when the log already says it. */
type Proposal = (state: LogState) => Omit<Entry, 'previous' | 'timestamp'> | undefined

/** The log of one Delta table: read incrementally, written by put-if-absent. One handle's writes queue up. */
export type Log = {
	/** The newest state in the store. It is live: take what you need before the next await. */
	refresh(): Promise<LogState>
	/** The state as far as this handle knows it; reads the store only the first time. */
	known(): Promise<LogState>
	/** Appends the entry that `propose` makes of the newest state; asks again after every entry that others put first. */
	append(propose: Proposal): Promise<{ isAppended: boolean; version: number }>
	/** Writes a checkpoint when `every` entries have come since the newest; a large one needs more to be worth it. */
	checkpoint(every: number): Promise<boolean>
}

/** Opens the log in a table's folder; nothing is read before it is needed. */
export function openLog(
	store: Store,
	folder: string,
	options: {
		columns: readonly FixedColumn[]
		now: () => number
		/** Told of every entry that this handle appends. */
		onAppend?: (version: number, digest: string) => void
	},
): Log {
	const logFolder = `${folder}/_delta_log/`
	let state: GrowingState | undefined
	let queue: Promise<unknown> = Promise.resolve()

	const inTurn = <T>(act: () => Promise<T>): Promise<T> => {
		const turn = queue.then(act)
		queue = turn.catch(() => {})
		return turn
	}
	const known = async (): Promise<GrowingState> => {
		state ??= await load(store, folder)
		return state
	}
	const refresh = async (): Promise<GrowingState> => {
		if (!state) return await known()
		const before = state.version
		const isReached = await rollForward(store, folder, state)
		if (state.version > before) await store.settle(logFolder)
		if (!isReached) state = await load(store, folder)
		return state
	}
	const tryAppend = async (propose: Proposal): Promise<{ isAppended: boolean; version: number } | undefined> => {
		const current = await known()
		const proposal = propose(current)
		if (!proposal) return { isAppended: false, version: current.version }
		const version = current.version + 1
		const key = `${folder}/${entryPath(version)}`
		const previous = version === 0 ? undefined : current.digest
		const meta = proposal.meta ?? unlisted(current.meta, options.columns)
		const bytes = formatEntry({ ...proposal, meta, previous, timestamp: options.now() }, options.columns)
		if ((await putOnce(store, key, bytes)) === 'exists') return undefined
		const { digest, ...entry } = parseEntry(key, bytes)
		if (await isVoid(store, folder, { version, digest })) {
			await store.delete(key)
			state = undefined
			return undefined
		}
		current.advance(entry, digest)
		options.onAppend?.(version, digest)
		return { isAppended: true, version }
	}

	return {
		known: () => inTurn(known),
		refresh: () => inTurn(refresh),
		append: (propose) =>
			inTurn(async () => {
				for (;;) {
					const done = await tryAppend(propose)
					if (done) return done
					const before = state?.version ?? -1
					if ((await refresh()).version <= before) throw corrupt(logFolder, `entry ${before + 1} cannot be read`)
				}
			}),
		checkpoint: (every) =>
			inTurn(async () => {
				const current = await refresh()
				const since = current.version - (await newestCheckpoint(store, folder))
				if (current.version < 0 || since < Math.max(every, entriesWorth(current))) return false
				return await writeCheckpoint(store, folder, current, options.columns)
			}),
	}
}

/** A checkpoint holds everything, so it waits for a twentieth of that to be new; a reader reads at most so many entries. */
function entriesWorth({ files, tombstones }: LogState): number {
	return Math.min(1_000, (files.size + tombstones.size) / 20)
}

/**
 * Whether an entry just put lies below what was cleaned away. A checkpoint at or behind it alone does not say so: another
 * handle may have seen the entry and taken it in. The newest checkpoint's own entry is never cleaned away, so its place was
 * free only for this one; elsewhere the entry behind names the one it follows.
 */
async function isVoid(store: Store, folder: string, own: { version: number; digest: string }): Promise<boolean> {
	if ((await newestCheckpoint(store, folder)) <= own.version) return false
	const key = `${folder}/${entryPath(own.version + 1)}`
	const next = await store.get(key)
	return next === undefined || parseEntry(key, next).previous !== own.digest
}

/** Starts from the newest checkpoint; without any, from the first entry. */
async function load(store: Store, folder: string): Promise<GrowingState> {
	await store.settle(`${folder}/_delta_log/`)
	for (;;) {
		const state = await startOf(store, folder)
		if (state && (await rollForward(store, folder, state))) return state
	}
}

/** The state to start from; undefined where another checkpoint took the place of the newest while it was read. */
async function startOf(store: Store, folder: string): Promise<GrowingState | undefined> {
	let start = await newestCheckpoint(store, folder)
	if (start < 0 && (await store.size(`${folder}/${entryPath(0)}`)) === undefined)
		start = await findCheckpoint(store, folder)
	if (start < 0) return growState()
	try {
		return await readCheckpoint(store, folder, start)
	} catch (error) {
		if (isCorrupt(error) && (await newestCheckpoint(store, folder)) > start) return undefined
		throw error
	}
}

/** Takes in the entries that follow; answers false where they were cleaned away: a checkpoint stands behind what is left. */
async function rollForward(store: Store, folder: string, state: GrowingState): Promise<boolean> {
	try {
		for (;;) {
			const key = `${folder}/${entryPath(state.version + 1)}`
			const bytes = await store.get(key)
			if (bytes === undefined) return (await newestCheckpoint(store, folder)) <= state.version
			const { digest, ...entry } = parseEntry(key, bytes)
			const expected = state.version < 0 ? undefined : state.digest
			if (entry.previous !== expected)
				throw corrupt(key, `it follows the entry ${entry.previous}, the one before it is ${expected}`)
			state.advance(entry, digest)
		}
	} catch (error) {
		if (isCorrupt(error) && (await newestCheckpoint(store, folder)) > state.version) return false
		throw error
	}
}
