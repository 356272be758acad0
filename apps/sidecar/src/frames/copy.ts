import type { Vault } from '@reprieve/vault'
import type { Receipted } from '../archive/record.ts'
import type { Records } from './records.ts'

/** Receipts that are copied in one transaction. */
const chunk = 5_000

/** Copies again what the vault has since the newest receipt that was surely copied: the copy may be what was lost. */
export async function copyReceipts(
	records: Pick<Records, 'receipts' | 'copied'>,
	vault: Vault,
	at: { lineage: string; archived: bigint },
): Promise<void> {
	const from = await records.copied(at.lineage)
	let waiting: Receipted[] = []
	for await (const transaction of vault.transactions.read({ positions: { from } })) {
		waiting.push({ archived: transaction, incidents: [], gaps: [] })
		if (waiting.length < chunk) continue
		await records.receipts(waiting, at)
		waiting = []
	}
	await records.receipts(waiting, at)
}
