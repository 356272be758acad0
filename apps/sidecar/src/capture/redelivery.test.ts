import type { ArchivedTransaction } from '@reprieve/contracts'
import type { Vault } from '@reprieve/vault'
import { expect, test } from 'vitest'
import type { OpenLineage } from '../lineage/open.ts'
import { knownTransactions } from './redelivery.ts'
import { closeTransaction, openTransaction } from './transaction.ts'

function committed(position: bigint, xid: number, committedAt: bigint) {
	const open = openTransaction({ position, xid, committedAt })
	open.archivedRows = 1
	return closeTransaction(open, position + 1n, 1)
}

test('a transaction delivered again is known by xid and commit time', async () => {
	const has = [committed(5n, 7, 100n).archived as ArchivedTransaction]
	const vault = { transactions: { read: () => has } } as unknown as Vault
	const check = await knownTransactions(vault, { confirmed: 0n, archived: 10n } as OpenLineage)
	const changed = expect.objectContaining({ incident: expect.objectContaining({ code: 'TRANSACTION_CHANGED' }) })
	expect(() => check(committed(5n, 7, 100n))).not.toThrow()
	expect(() => check(committed(5n, 8, 100n))).toThrow(changed)
	expect(() => check(committed(5n, 7, 101n))).toThrow(changed)
	expect(() => check(committed(6n, 7, 100n))).toThrow(changed)
	expect(() => check(committed(10n, 8, 101n))).not.toThrow()
})
