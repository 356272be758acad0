import type { TransactionLog, Vault, VaultTable } from '@reprieve/vault'
import type { UpkeepOptions } from './loop.ts'

/** Merging holds decoded rows in memory, several times as large as their segments, beside the stream's own buffers. */
const mergedBytes = 16 * 1024 * 1024

/** Merges small segments and writes checkpoints, over every table and the record of transactions. */
export async function keepVault({ vault, log }: Pick<UpkeepOptions, 'vault' | 'log'>): Promise<void> {
	for (const archive of await archivesOf(vault)) {
		const { merged, written } = await archive.compact({ targetBytes: mergedBytes })
		if (merged > 0) log.info({ merged, written }, 'compacted')
		await archive.checkpoint()
	}
}

/** Deletes what the logs let go of long ago. */
export async function sweepVault({ vault, log }: Pick<UpkeepOptions, 'vault' | 'log'>): Promise<void> {
	for (const archive of await archivesOf(vault)) {
		const { segments, entries } = await archive.sweep()
		if (segments + entries > 0) log.info({ segments, entries }, 'swept')
	}
}

async function archivesOf(vault: Vault): Promise<(VaultTable | TransactionLog)[]> {
	const tables = await vault.tables()
	return [vault.transactions, ...tables.map((name) => vault.table(name))]
}
