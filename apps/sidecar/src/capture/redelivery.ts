import type { ArchivedTransaction } from '@reprieve/contracts'
import type { Vault } from '@reprieve/vault'
import { changedTransaction } from '../incident.ts'
import type { OpenLineage } from '../lineage/open.ts'
import type { CommittedTransaction } from './transaction.ts'

/**
 * Reads what the vault has behind the slot's position and answers a check: a transaction that is delivered again must
 * be the very one that the vault has, by xid, commit time and rows. It throws CaptureStopped on any other.
 */
export async function knownTransactions(
	vault: Vault,
	{ confirmed, archived }: OpenLineage,
): Promise<(transaction: CommittedTransaction) => void> {
	const known = new Map<bigint, ArchivedTransaction>()
	for await (const transaction of vault.transactions.read({ positions: { from: confirmed } })) {
		known.set(transaction.position.lsn, transaction)
	}
	return (transaction) => {
		if (transaction.position >= archived || !transaction.archived) return
		if (!isSame(known.get(transaction.position), transaction.archived)) throw changedTransaction(transaction)
	}
}

function isSame(known: ArchivedTransaction | undefined, again: ArchivedTransaction): boolean {
	if (known?.xid !== again.xid || known.committedAt !== again.committedAt) return false
	const labels = new Set([...Object.keys(known.rows), ...Object.keys(again.rows)])
	return [...labels].every(
		(label) =>
			known.rows[label]?.deleted === again.rows[label]?.deleted &&
			known.rows[label]?.relinked === again.rows[label]?.relinked,
	)
}
