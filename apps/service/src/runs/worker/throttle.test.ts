import { expect, test } from 'vitest'
import { limitsOf, type Readings, throttle } from './throttle.ts'

const quiet: Readings = {
	...{ exposedBatches: 0, exposedRows: 0, slotLagBytes: 0, replicaLagSeconds: 0, lockWaits: 0, vacuums: 0 },
	...{ rowsPerSecond: 0, logBytesPerSecond: 0, secondsToWindow: 0 },
}
const ours = { exposureBatches: 10, exposureRows: 1000, slotBytes: 5000, replicaLagSeconds: 10, lockWaits: 0 }
const limits = { ...ours, ...limitsOf({ rowsPerSecond: 100, logBytesPerSecond: 10_000, waitForVacuum: true }) }

test('a batch begins when every reading is within its limit', () => {
	expect(throttle(quiet, limits, 1000)).toBeUndefined()
	expect(throttle({ ...quiet, exposedBatches: 9, exposedRows: 900 }, limits, 100)).toBeUndefined()
})

test('the eleventh batch waits for a receipt', () => {
	expect(throttle({ ...quiet, exposedBatches: 10, exposedRows: 10 }, limits, 1)).toEqual({
		reason: 'exposure',
		reading: 10,
		limit: 10,
	})
})

test('a batch that would cross the window in rows waits', () => {
	expect(throttle({ ...quiet, exposedBatches: 1, exposedRows: 901 }, limits, 100)).toEqual({
		reason: 'exposure',
		reading: 901,
		limit: 1000,
	})
})

test('each other reading beyond its limit is named', () => {
	const busy: Partial<Readings>[] = [
		...[{ slotLagBytes: 5000 }, { replicaLagSeconds: 11 }, { lockWaits: 123 }, { vacuums: 1 }],
		...[{ rowsPerSecond: 154.4 }, { logBytesPerSecond: 10_000.1 }, { secondsToWindow: 60 }],
	]
	expect(busy.map((reading) => throttle({ ...quiet, ...reading }, limits, 1))).toEqual([
		{ reason: 'slotLag', reading: 5000, limit: 5000 },
		{ reason: 'replicaLag', reading: 11, limit: 10 },
		{ reason: 'lockWaits', reading: 123, limit: 0 },
		{ reason: 'vacuum', reading: 1, limit: 0 },
		{ reason: 'rowsPerSecond', reading: 160, limit: 100 },
		{ reason: 'logBytesPerSecond', reading: 11_000, limit: 10_000 },
		{ reason: 'window', reading: 60, limit: 0 },
	])
})

test('a run that asks for nothing waits neither for rates nor for a vacuum', () => {
	const busy = { ...quiet, vacuums: 3, rowsPerSecond: 1e9, logBytesPerSecond: 1e12 }
	expect(throttle(busy, { ...ours, ...limitsOf({}) }, 1)).toBeUndefined()
})
