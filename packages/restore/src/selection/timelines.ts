import type { Vault } from '@reprieve/vault'

/** Timelines of commit positions, and what else the transactions deleted; read from the vault as positions come up. */
export type Timelines = {
	learn(positions: Iterable<bigint>): Promise<void>
	of(position: bigint): number
	/** Tables (formatTableName) in which the transactions met so far deleted or relinked rows, with how many. */
	rows(): Map<string, number>
}

/** `fallback` is the timeline of transactions that have no record yet. */
export function openTimelines(vault: Vault, fallback: number): Timelines {
	const known = new Map<bigint, number>()
	const rows = new Map<string, number>()
	return {
		async learn(positions) {
			const unknown = [...new Set(positions)].filter((position) => !known.has(position))
			if (unknown.length === 0) return
			for (const position of unknown) known.set(position, fallback)
			for await (const transaction of vault.transactions.read({ exact: unknown })) {
				known.set(transaction.position.lsn, transaction.position.timeline)
				for (const [table, count] of Object.entries(transaction.rows)) {
					rows.set(table, (rows.get(table) ?? 0) + count.deleted + count.relinked)
				}
			}
		},
		of: (position) => known.get(position) ?? fallback,
		rows: () => rows,
	}
}
