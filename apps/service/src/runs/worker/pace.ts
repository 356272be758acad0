import type { RunThrottle, RunWindow } from '@reprieve/contracts'

/** A moment between two batches: milliseconds of this process's clock, and bytes of log that the cluster has ever written. */
export type Moment = { atMs: number; logBytes: number }

/** The batch before: the moment at which it began, what it deleted, and the log that was written for each of its rows. */
export type Before = Moment & { rows: number; bytesPerRow?: number }

/** Rows deleted a second since the batch before began; none before the first. */
export function rowsPerSecond({ atMs }: Moment, before: Before | undefined): number {
	return before ? (before.rows * 1000) / Math.max(atMs - before.atMs, 1) : 0
}

/** Log that may be written: what a second may have at most, below 0 what was written too much. */
export type Account = Moment & { bytes: number }

/**
 * The account at a moment: it grows by what may be written and shrinks by what was, by whomever. No more is owed than
 * the batch before has written, or a second may have: the end of what others write is not waited for again.
 */
export function accountAt(
	now: Moment,
	last: Account | undefined,
	{ limit, own }: { limit: number; own: number },
): Account {
	if (!last) return { ...now, bytes: 0 }
	const bytes = last.bytes + (limit * (now.atMs - last.atMs)) / 1000 - Math.max(0, now.logBytes - last.logBytes)
	return { ...now, bytes: Math.min(limit, Math.max(bytes, -Math.max(limit, own))) }
}

/** Milliseconds until both are within their limits, when nobody else writes; 0 where they are. */
export function untilWithin(
	now: Moment,
	{ before, account }: { before?: Before; account?: Account },
	limits: RunThrottle,
): number {
	const { rowsPerSecond: rows = Number.POSITIVE_INFINITY, logBytesPerSecond = Number.POSITIVE_INFINITY } = limits
	const forRows = before ? (before.rows / rows) * 1000 - (now.atMs - before.atMs) : 0
	const forLog = account ? (-account.bytes / logBytesPerSecond) * 1000 : 0
	return Math.max(0, Math.ceil(Math.max(forRows, forLog)))
}

/** The most rows of a batch that does not do more at once than a second may have. */
export function rowsOfOneSecond(limits: RunThrottle, before: Before | undefined): number {
	const { rowsPerSecond = Number.POSITIVE_INFINITY, logBytesPerSecond = Number.POSITIVE_INFINITY } = limits
	const bytesPerRow = before?.bytesPerRow ?? usualBytesPerRow
	return Math.max(1, Math.min(rowsPerSecond, Math.floor(logBytesPerSecond / bytesPerRow)))
}

/** Until a run's own rows are known: about what a row of 200 bytes writes. */
const usualBytesPerRow = 300

/** Seconds until a window opens, in whole minutes; 0 while it is open. Where a day has more or fewer hours it is looked at again meanwhile. */
export function secondsToWindow(window: RunWindow | undefined, now: Date): number {
	if (!window) return 0
	const [from, to, time] = [secondsOf(window.from), secondsOf(window.to), secondsOf(timeIn(window.timeZone, now))]
	const isOpen = from < to ? from <= time && time < to : from <= time || time < to
	return isOpen ? 0 : Math.ceil(((from - time + secondsOfDay) % secondsOfDay) / 60) * 60
}

const secondsOfDay = 86_400

function timeIn(timeZone = 'UTC', now: Date): string {
	return new Intl.DateTimeFormat('en-GB', { timeZone, timeStyle: 'medium' }).format(now)
}

/** Of `22:30` or `22:30:15`. */
function secondsOf(time: string): number {
	const [hours = 0, minutes = 0, seconds = 0] = time.split(':').map(Number)
	return hours * 3600 + minutes * 60 + seconds
}
