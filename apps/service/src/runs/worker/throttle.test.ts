import { expect, test } from 'vitest'
import { type Readings, throttle } from './throttle.ts'

const quiet: Readings = { exposedBatches: 0, exposedRows: 0, slotLagBytes: 0, replicaLagSeconds: 0, lockWaits: 0 }
const limits = { exposureBatches: 10, exposureRows: 1000, slotBytes: 5000, replicaLagSeconds: 10, lockWaits: 0 }

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
	expect(throttle({ ...quiet, slotLagBytes: 5000 }, limits, 1)?.reason).toBe('slotLag')
	expect(throttle({ ...quiet, replicaLagSeconds: 11 }, limits, 1)?.reason).toBe('replicaLag')
	expect(throttle({ ...quiet, lockWaits: 1 }, limits, 1)?.reason).toBe('lockWaits')
})
