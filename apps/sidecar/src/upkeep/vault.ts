import type { UpkeepOptions } from './loop.ts'

/** Merges small segments and writes checkpoints, over every table and the record of transactions. */
export async function keepVault({ vault, log }: Pick<UpkeepOptions, 'vault' | 'log'>): Promise<void> {
	const tables = await vault.tables()
	for (const archive of [vault.transactions, ...tables.map((name) => vault.table(name))]) {
		const { merged, written } = await archive.compact()
		if (merged > 0) log.info({ merged, written }, 'compacted')
		await archive.checkpoint()
	}
}
