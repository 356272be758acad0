import type { ArchivedTransaction } from '@reprieve/contracts'
import type { Vault } from '@reprieve/vault'
import { changedTransaction } from '../incident.ts'
import type { OpenLineage } from '../lineage/open.ts'
import type { CommittedTransaction } from './transaction.ts'

/**
 * Reads what the vault has behind the slot's position and answers a check: a transaction that is delivered again must
 * be the very one that the vault has, by xid and commit time. It throws CaptureStopped on any other. Rows are not compared:
 * they go by today's catalog, so a table renamed or detached since would count under another name.
 */
export async function knownTransactions(
	vault: Vault,
	{ confirmed, archived }: OpenLineage,
): Promise<(transaction: CommittedTransaction) => void> {
	const known = new Map<bigint, ArchivedTransaction>()
	for await (const transaction of vault.transactions.read({ positions: { from: confirmed } })) {
		if (!transaction.isUndone) known.set(transaction.position.lsn, transaction)
	}
	return (transaction) => {
		if (transaction.position >= archived || !transaction.archived) return
		const same = known.get(transaction.position)
		if (same?.xid !== transaction.xid || same.committedAt !== transaction.committedAt)
			throw changedTransaction(transaction)
	}
}
