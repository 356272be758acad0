import type { UpkeepOptions } from './loop.ts'

/** Merging holds decoded rows in memory, several times as large as their segments, beside the stream's own buffers. */
const mergedBytes = 16 * 1024 * 1024

/** Merges small segments, writes checkpoints and deletes what the logs let go of long ago, over every table and the record of transactions. */
export async function keepVault({ vault, log }: Pick<UpkeepOptions, 'vault' | 'log'>): Promise<void> {
	const tables = await vault.tables()
	for (const archive of [vault.transactions, ...tables.map((name) => vault.table(name))]) {
		const { merged, written } = await archive.compact({ targetBytes: mergedBytes })
		if (merged > 0) log.info({ merged, written }, 'compacted')
		await archive.checkpoint()
		const { segments, entries } = await archive.sweep()
		if (segments + entries > 0) log.info({ segments, entries }, 'swept')
	}
}
