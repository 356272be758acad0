import { ReprieveError } from '@reprieve/contracts'
import type { Vault } from '@reprieve/vault'
import { pino } from 'pino'
import { expect, test } from 'vitest'
import { Releases } from './releases.ts'

/** Releases over a vault that can be away; what was told to whom, in order. */
function open(isBrokerTrusted: boolean) {
	const told: string[] = []
	const state = { archived: 10n, isAway: false, isTaken: false }
	const archived = async () => {
		if (state.isAway) throw new ReprieveError('VAULT_UNAVAILABLE', 'the bucket does not answer')
		return state.archived
	}
	const refuse = () => {
		throw new ReprieveError('CONFLICT', 'the lease is gone')
	}
	const releases = new Releases({
		...{ vault: { transactions: { archived } } as unknown as Vault, lineage: 'l', archived: 10n, everyMs: 0 },
		lease: {
			isHeld: () => !state.isAway && !state.isTaken,
			checkTaken: () => state.isTaken && refuse(),
		},
		nonces: { advance: async (position) => void told.push(`nonce ${position}`) },
		acknowledge: (position) => void told.push(`slot ${position}`),
		isBrokerTrusted: () => isBrokerTrusted,
		log: pino({ level: 'silent' }),
	})
	const failures: unknown[] = []
	releases.watch(async (work) => await work().catch((error) => void failures.push(error)))
	return { releases, told, state, failures, [Symbol.dispose]: () => releases.stop() }
}

test('what the vault has is named before it is released, and nothing beyond it', async () => {
	using opened = open(false)
	await opened.releases.sent(50n)
	await expect.poll(() => opened.told).toEqual(['nonce 10', 'slot 10'])
	opened.state.archived = 30n
	await expect.poll(() => opened.told.slice(2)).toEqual(['nonce 30', 'slot 30'])
})

test('trusted brokers release on while the vault is away, under the nonce that it has', async () => {
	using opened = open(true)
	await opened.releases.sent(20n)
	expect(opened.told).toEqual(['nonce 10', 'slot 20'])
	opened.state.isAway = true
	await opened.releases.sent(40n)
	expect(opened.told.slice(2)).toEqual(['slot 40'])
	expect(opened.failures).toEqual([])
})

test('a lease that is known to be gone ends it, also with trusted brokers', async () => {
	using opened = open(true)
	await opened.releases.sent(20n)
	opened.state.isTaken = true
	await expect(opened.releases.sent(40n)).rejects.toMatchObject({ code: 'CONFLICT' })
	expect(opened.told).toEqual(['nonce 10', 'slot 20'])
})
