import { expect, test } from 'vitest'
import { accountAt, rowsOfOneSecond, rowsPerSecond, secondsToWindow, untilWithin } from './pace.ts'

const before = { atMs: 1_000, logBytes: 5_000, rows: 500 }

test('rows count from the beginning of the batch before; before the first there are none', () => {
	expect(rowsPerSecond({ atMs: 3_000, logBytes: 0 }, before)).toBe(250)
	expect(rowsPerSecond({ atMs: 3_000, logBytes: 0 }, undefined)).toBe(0)
})

test('the next batch begins when rows and log have come down', () => {
	const now = { atMs: 1_100, logBytes: 25_000 }
	const account = { ...now, bytes: -19_000 }
	expect(untilWithin(now, { before }, { rowsPerSecond: 1_000 })).toBe(400)
	expect(untilWithin(now, { account }, { logBytesPerSecond: 10_000 })).toBe(1_900)
	expect(untilWithin(now, { before, account }, { rowsPerSecond: 1_000, logBytesPerSecond: 10_000 })).toBe(1_900)
	expect(untilWithin({ ...now, atMs: 9_000 }, { before }, { rowsPerSecond: 1_000 })).toBe(0)
	expect(untilWithin(now, { before, account }, {})).toBe(0)
	expect(untilWithin(now, {}, { rowsPerSecond: 1, logBytesPerSecond: 1 })).toBe(0)
})

test('what a batch has written is paid back at the limit, and a second may have no more than that after a pause', () => {
	const by = { limit: 10_000, own: 20_000 }
	const begun = accountAt({ atMs: 0, logBytes: 5_000 }, undefined, by)
	expect(begun.bytes).toBe(0)
	const after = accountAt({ atMs: 100, logBytes: 25_000 }, begun, by)
	expect(after.bytes).toBe(-19_000)
	expect(accountAt({ atMs: 2_000, logBytes: 25_000 }, after, by).bytes).toBe(0)
	expect(accountAt({ atMs: 100_000, logBytes: 25_000 }, after, by).bytes).toBe(10_000)
})

test('however long others wrote more than the limit, the end of it is waited for once', () => {
	const by = { limit: 10_000, own: 2_000 }
	const hours = accountAt({ atMs: 8 * 3_600_000, logBytes: 1e12 }, { atMs: 0, logBytes: 0, bytes: 0 }, by)
	expect(untilWithin(hours, { account: hours }, { logBytesPerSecond: by.limit })).toBe(1_000)
	expect(accountAt({ atMs: hours.atMs + 1_000, logBytes: 1e12 }, hours, by).bytes).toBe(0)
})

test('a log that goes back, after a promotion, counts as none', () => {
	expect(
		accountAt({ atMs: 1_000, logBytes: 10 }, { atMs: 0, logBytes: 1e9, bytes: 0 }, { limit: 5, own: 0 }).bytes,
	).toBe(5)
})

test('a batch is no larger than what a second may have, and one row at least', () => {
	expect(rowsOfOneSecond({ rowsPerSecond: 700 }, before)).toBe(700)
	expect(rowsOfOneSecond({ logBytesPerSecond: 30_000 }, undefined)).toBe(100)
	expect(rowsOfOneSecond({ logBytesPerSecond: 30_000 }, { ...before, bytesPerRow: 1_000 })).toBe(30)
	expect(rowsOfOneSecond({ logBytesPerSecond: 10 }, undefined)).toBe(1)
	expect(rowsOfOneSecond({}, before)).toBe(Number.POSITIVE_INFINITY)
})

test.each([
	['2026-01-31T21:59:30Z', { from: '22:00', to: '06:00' }, 60],
	['2026-01-31T22:00:00Z', { from: '22:00', to: '06:00' }, 0],
	['2026-01-31T05:59:59Z', { from: '22:00', to: '06:00' }, 0],
	['2026-01-31T06:00:00Z', { from: '22:00', to: '06:00' }, 16 * 3600],
	['2026-01-31T00:00:00Z', { from: '22:00', to: '06:00' }, 0],
	['2026-01-31T08:00:00Z', { from: '09:00', to: '17:00' }, 3600],
	['2026-01-31T17:00:00Z', { from: '09:00', to: '17:00' }, 16 * 3600],
	['2026-01-31T12:00:00Z', { from: '09:00', to: '17:00' }, 0],
	['2026-07-31T20:30:00Z', { from: '22:00', to: '06:00', timeZone: 'Europe/Berlin' }, 0],
	['2026-01-31T20:30:00Z', { from: '22:00', to: '06:00', timeZone: 'Europe/Berlin' }, 1800],
])('at %s a window of %j opens in %i seconds', (now, window, seconds) => {
	expect(secondsToWindow(window, new Date(now))).toBe(seconds)
})

test('without a window it is always open', () => {
	expect(secondsToWindow(undefined, new Date(0))).toBe(0)
})
