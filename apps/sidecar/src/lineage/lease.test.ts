import { ReprieveError } from '@reprieve/contracts'
import type { Vault } from '@reprieve/vault'
import { afterEach, expect, test, vi } from 'vitest'
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
	expect(() => lease.check()).toThrow('another capture')
	refusal = undefined
	const unrenewed = await take()
	refusal = new Error('the vault is away')
	vi.setSystemTime(0)
	await vi.advanceTimersByTimeAsync(8_000)
	unrenewed.check()
	await vi.advanceTimersByTimeAsync(1_000)
	expect(() => unrenewed.check()).toThrow('ran out')
	await Promise.all([lease.release(), unrenewed.release()])
})
