import { expect, test } from 'vitest'
import { ratesAt, rowsOfOneSecond, secondsToWindow, untilWithin } from './pace.ts'

const before = { atMs: 1_000, logBytes: 5_000, rows: 500 }

test('rates count from the beginning of the batch before; before the first there are none', () => {
	const now = { atMs: 3_000, logBytes: 25_000 }
	expect(ratesAt(now, before)).toEqual({ rowsPerSecond: 250, logBytesPerSecond: 10_000 })
	expect(ratesAt(now, undefined)).toEqual({ rowsPerSecond: 0, logBytesPerSecond: 0 })
})

test('the next batch begins when both rates have come down', () => {
	const now = { atMs: 1_100, logBytes: 25_000 }
	expect(untilWithin(now, before, { rowsPerSecond: 1_000 })).toBe(400)
	expect(untilWithin(now, before, { logBytesPerSecond: 10_000 })).toBe(1_900)
	expect(untilWithin(now, before, { rowsPerSecond: 1_000, logBytesPerSecond: 10_000 })).toBe(1_900)
	expect(untilWithin({ ...now, atMs: 9_000 }, before, { rowsPerSecond: 1_000 })).toBe(0)
	expect(untilWithin(now, before, {})).toBe(0)
	expect(untilWithin(now, undefined, { rowsPerSecond: 1 })).toBe(0)
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
