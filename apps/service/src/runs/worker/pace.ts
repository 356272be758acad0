import type { RunThrottle, RunWindow } from '@reprieve/contracts'

/** A moment between two batches: milliseconds of this process's clock, and bytes of log that the cluster has ever written. */
export type Moment = { atMs: number; logBytes: number }

/** The batch before: the moment at which it began, what it deleted, and the log that was written for each of its rows. */
export type Before = Moment & { rows: number; bytesPerRow?: number }

/** What was done and written a second since the batch before began. */
export type Rates = { rowsPerSecond: number; logBytesPerSecond: number }

/** Rates at a moment; none before the first batch. */
export function ratesAt(now: Moment, before: Before | undefined): Rates {
	if (!before) return { rowsPerSecond: 0, logBytesPerSecond: 0 }
	const seconds = Math.max(now.atMs - before.atMs, 1) / 1000
	return {
		rowsPerSecond: before.rows / seconds,
		logBytesPerSecond: (now.logBytes - before.logBytes) / seconds,
	}
}

/** Milliseconds until the rates of what was done so far are within the limits; 0 where they are. */
export function untilWithin(now: Moment, before: Before | undefined, limits: RunThrottle): number {
	if (!before) return 0
	const { rowsPerSecond = Number.POSITIVE_INFINITY, logBytesPerSecond = Number.POSITIVE_INFINITY } = limits
	const seconds = Math.max(before.rows / rowsPerSecond, (now.logBytes - before.logBytes) / logBytesPerSecond)
	return Math.max(0, Math.ceil(seconds * 1000 - (now.atMs - before.atMs)))
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
