import { ReprieveError } from '@reprieve/contracts'
import type { UpkeepOptions } from './loop.ts'

/** Merging holds decoded rows in memory, several times as large as their segments, beside the stream's own buffers. */
const mergedBytes = 16 * 1024 * 1024

/** Rounds that another process waits before it takes over the upkeep of one that is gone. */
const patienceRounds = 3

/**
 * Merges small segments, writes checkpoints and deletes what the logs let go of long ago, over every table and the record
 * of transactions. Of several processes one does it: the others would only do the same work in vain.
 */
export async function keepVault({ config, vault, name, log }: Omit<UpkeepOptions, 'owner'>): Promise<void> {
	if (!(await isMyTurn(() => vault.lease('upkeep', name, patienceRounds * config.upkeepMs)))) return
	const tables = await vault.tables()
	for (const archive of [vault.transactions, ...tables.map((table) => vault.table(table))]) {
		const { merged, written } = await archive.compact({ targetBytes: mergedBytes })
		if (merged > 0) log.info({ merged, written }, 'compacted')
		await archive.checkpoint()
		const { segments, entries } = await archive.sweep()
		if (segments + entries > 0) log.info({ segments, entries }, 'swept')
	}
}

async function isMyTurn(take: () => Promise<void>): Promise<boolean> {
	try {
		await take()
		return true
	} catch (error) {
		if (error instanceof ReprieveError && error.code === 'CONFLICT') return false
		throw error
	}
}
