import { expect, test } from 'vitest'
import { Watchdog } from './watchdog.ts'

const lane = { topic: 't', partition: 0 }

test('a record that lies for longer than it may is noticed, not one of which those before are being read', () => {
	const watchdog = new Watchdog(100)
	expect(watchdog.look(lane, { next: 5n, high: 9n, now: 0 })).toBe(false)
	expect(watchdog.look(lane, { next: 6n, high: 9n, now: 90 })).toBe(false)
	expect(watchdog.look(lane, { next: 6n, high: 9n, now: 180 })).toBe(false)
	expect(watchdog.look(lane, { next: 6n, high: 9n, now: 190 })).toBe(true)
})

test('a lane that was read to its end begins anew', () => {
	const watchdog = new Watchdog(100)
	watchdog.look(lane, { next: 5n, high: 9n, now: 0 })
	watchdog.look(lane, { next: 9n, high: 9n, now: 50 })
	expect(watchdog.look(lane, { next: 9n, high: 10n, now: 500 })).toBe(false)
	expect(watchdog.look({ ...lane, partition: 1 }, { next: 5n, high: 9n, now: 500 })).toBe(false)
	expect(watchdog.look(lane, { next: 9n, high: 10n, now: 600 })).toBe(true)
})
