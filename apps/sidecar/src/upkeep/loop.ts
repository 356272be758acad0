import type { Sql } from '@reprieve/postgres'
import type { Vault } from '@reprieve/vault'
import type { Logger } from 'pino'
import type { SidecarConfig } from '../config.ts'

export type UpkeepOptions = { config: SidecarConfig; vault: Vault; sql: Sql; log: Logger }

/** Keeps the vault small in the background: merges segments, writes checkpoints. A failed round is tried again. */
export function startUpkeep(options: UpkeepOptions): { stop(): Promise<void> } {
	const { config, log } = options
	if (config.upkeepMs === 0) return { stop: async () => {} }
	let round: Promise<void> | undefined
	const timer = setInterval(() => {
		round ??= keepVault(options)
			.catch((error) => log.warn({ err: error }, 'a round of upkeep failed'))
			.finally(() => {
				round = undefined
			})
	}, config.upkeepMs)
	return {
		async stop() {
			clearInterval(timer)
			await round
		},
	}
}

/** One round over every table and the record of transactions. */
export async function keepVault({ vault, log }: Pick<UpkeepOptions, 'vault' | 'log'>): Promise<void> {
	const tables = await vault.tables()
	for (const archive of [vault.transactions, ...tables.map((name) => vault.table(name))]) {
		const { merged, written } = await archive.compact()
		if (merged > 0) log.info({ merged, written }, 'compacted')
		await archive.checkpoint()
	}
}
