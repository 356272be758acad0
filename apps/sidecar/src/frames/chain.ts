import type { FrameHeader, Place } from '@reprieve/cdc'

/** Ordinal of a place that lies behind everything of its position. */
const endOrdinal = 0xffffffff

/** Where reading stands in one partition. */
export type ChainState = {
	/** Everything up to here is at hand, or was decided. */
	covered: Place
	/** The session of the newest frame; undefined before the first. */
	session: string | undefined
	/** Every record since the one behind `covered` was read. */
	isContiguous: boolean
}

export type Link =
	/** Nothing that was not there before. */
	| { kind: 'repeated' }
	/** What lies behind `covered` is new, and nothing is missing. */
	| { kind: 'follows' }
	/**
	 * A session starts behind `covered`, and reading left nothing out: the partition had nothing in between. Whoever finds
	 * that a transaction had rows there knows that they are lost.
	 */
	| { kind: 'starts' }
	/** Frames are missing that a new session of capture sends again. */
	| { kind: 'hole' }
	/** Frames are missing that no session will send again: everything behind `covered` and up to the predecessor. */
	| { kind: 'gap' }

/** Says how a frame whose last place is `final` follows what came before it in its partition. Pure. */
export function judgeLink(
	state: ChainState,
	frame: Pick<FrameHeader, 'session' | 'predecessor'> & { kind: 'rows' | 'transactions'; final: Place },
): Link {
	const { predecessor, session } = frame
	if (comparePlaces(predecessor, state.covered) <= 0)
		return { kind: comparePlaces(frame.final, state.covered) <= 0 ? 'repeated' : 'follows' }
	if (state.session === session || !isStart(state, frame)) return { kind: 'hole' }
	return { kind: frame.kind === 'rows' && state.isContiguous ? 'starts' : 'gap' }
}

/**
 * Whether the frame is its session's first in the partition. The places of transactions do not say it: there it must be
 * of another session than the one before.
 */
function isStart(state: ChainState, { kind, predecessor }: { kind: 'rows' | 'transactions'; predecessor: Place }) {
	return kind === 'rows' ? predecessor.ordinal === endOrdinal : state.session !== undefined
}

export function comparePlaces(a: Place, b: Place): number {
	if (a.position !== b.position) return a.position < b.position ? -1 : 1
	return a.ordinal - b.ordinal
}

/** Behind everything of the position. */
export function endOf(position: bigint): Place {
	return { position, ordinal: endOrdinal }
}

/** The later of two places. */
export function laterPlace(a: Place, b: Place): Place {
	return comparePlaces(a, b) >= 0 ? a : b
}
