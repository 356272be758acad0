import { ReprieveError } from '@reprieve/contracts'
import type { Vault } from '@reprieve/vault'
import { afterEach, expect, test, vi } from 'vitest'
import { type Clock, systemClock } from '../clock.ts'
import { takeLease } from './lease.ts'

afterEach(() => vi.useRealTimers())

test('a lease that went to another capture is lost at once, one that is not renewed when its time is up', async () => {
	vi.useFakeTimers()
	let refusal: Error | undefined
	const vault = { lease: async () => void (refusal && (await Promise.reject(refusal))) } as unknown as Vault
	const take = () => takeLease({ vault, lineage: 'l', owner: 'o', ttlMs: 9_000, signal: new AbortController().signal })
	const lease = await take()
	refusal = new ReprieveError('CONFLICT', 'another holds it')
	vi.setSystemTime(0)
	await vi.advanceTimersByTimeAsync(3_000)
	await expect(lease.check()).rejects.toThrow('another capture')
	refusal = undefined
	const unrenewed = await take()
	refusal = new Error('the vault is away')
	vi.setSystemTime(0)
	await vi.advanceTimersByTimeAsync(8_000)
	await unrenewed.check()
	await vi.advanceTimersByTimeAsync(1_000)
	await expect(unrenewed.check()).rejects.toThrow('ran out')
	await Promise.all([lease.release(), unrenewed.release()])
})

test('a capture that stood still for longer than its lease goes on, unless another has had it', async () => {
	const asked: (boolean | undefined)[] = []
	let holder = ''
	const vault: Pick<Vault, 'lease'> = {
		async lease(_lineage, owner, _ttlMs, options) {
			asked.push(options?.isRenewal)
			if (options?.isRenewal && holder !== owner) throw new ReprieveError('CONFLICT', `${holder} took it`)
			holder = owner
		},
	}
	let now = 0
	const clock: Clock = { ...systemClock, now: () => now, every: () => () => {} }
	const signal = new AbortController().signal
	const lease = await takeLease({ vault, lineage: 'l', owner: 'o', ttlMs: 9_000, clock, signal })
	now = 30_000
	await Promise.all([lease.check(), lease.check()])
	expect(asked).toEqual([false, true])
	now = 60_000
	holder = 'p'
	await expect(lease.check()).rejects.toThrow('another capture')
	holder = 'o'
	await expect(lease.check(), 'lost is lost').rejects.toThrow('another capture')
	await lease.release()
})

test('a renewal that was under way while a capture stood still is made again', async () => {
	let now = 0
	let tick = () => {}
	const slow = Promise.withResolvers<void>()
	const answers = [undefined, slow.promise]
	const vault: Pick<Vault, 'lease'> = { lease: async () => await answers.shift() }
	const clock: Clock = {
		...systemClock,
		now: () => now,
		every(_ms, work) {
			tick = work
			return () => {}
		},
	}
	const signal = new AbortController().signal
	const lease = await takeLease({ vault, lineage: 'l', owner: 'o', ttlMs: 9_000, clock, signal })
	tick()
	now = 30_000
	const checked = lease.check()
	slow.resolve()
	await checked
	expect(lease.isHeld()).toBe(true)
})
