import { entryPath } from '../paths.ts'
import { corrupt } from '../seal.ts'
import { putOnce, type Store } from '../store.ts'
import { type Entry, type FixedColumn, formatEntry, parseEntry } from './actions.ts'
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
		const current = await known()
		const before = current.version
		await rollForward(store, folder, current)
		if (current.version > before) await store.settle(logFolder)
		else if ((await newestCheckpoint(store, folder)) > current.version) state = await load(store, folder)
		return await known()
	}
	const tryAppend = async (propose: Proposal): Promise<{ isAppended: boolean; version: number } | undefined> => {
		const current = await known()
		const proposal = propose(current)
		if (!proposal) return { isAppended: false, version: current.version }
		const version = current.version + 1
		const key = `${folder}/${entryPath(version)}`
		const previous = version === 0 ? undefined : current.digest
		const bytes = formatEntry({ ...proposal, previous, timestamp: options.now() }, options.columns)
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
	let start = await newestCheckpoint(store, folder)
	if (start < 0 && (await store.size(`${folder}/${entryPath(0)}`)) === undefined)
		start = await findCheckpoint(store, folder)
	const state = start < 0 ? growState() : await readCheckpoint(store, folder, start)
	await rollForward(store, folder, state)
	return state
}

async function rollForward(store: Store, folder: string, state: GrowingState): Promise<void> {
	for (;;) {
		const key = `${folder}/${entryPath(state.version + 1)}`
		const bytes = await store.get(key)
		if (bytes === undefined) return
		const { digest, ...entry } = parseEntry(key, bytes)
		const expected = state.version < 0 ? undefined : state.digest
		if (entry.previous !== expected)
			throw corrupt(key, `it follows the entry ${entry.previous}, the one before it is ${expected}`)
		state.advance(entry, digest)
	}
}
