import { ReprieveError } from '@reprieve/contracts'
import type { TransactionLog, Vault, VaultTable } from '@reprieve/vault'
import type { UpkeepOptions } from './loop.ts'

/** Merging holds decoded rows in memory, several times as large as their segments, beside the stream's own buffers. */
const mergedBytes = 16 * 1024 * 1024

/** Rounds that another process waits before it takes over the upkeep of one that is gone. */
const patienceRounds = 3

type VaultUpkeep = Omit<UpkeepOptions, 'owner'>

/** Merges small segments and writes checkpoints, over every table and the record of transactions. */
export async function keepVault(options: VaultUpkeep): Promise<void> {
	const { vault, log } = options
	if (!(await isMyTurn(options))) return
	for (const archive of await archivesOf(vault)) {
		const { merged, written } = await archive.compact({ targetBytes: mergedBytes })
		if (merged > 0) log.info({ merged, written }, 'compacted')
		await archive.checkpoint()
	}
}

/** Deletes what the logs let go of long ago. */
export async function sweepVault(options: VaultUpkeep): Promise<void> {
	const { vault, log } = options
	if (!(await isMyTurn(options))) return
	for (const archive of await archivesOf(vault)) {
		const { segments, entries } = await archive.sweep()
		if (segments + entries > 0) log.info({ segments, entries }, 'swept')
	}
}

async function archivesOf(vault: Vault): Promise<(VaultTable | TransactionLog)[]> {
	const tables = await vault.tables()
	return [vault.transactions, ...tables.map((name) => vault.table(name))]
}

/** Of several processes one does the upkeep: the others would only do the same work in vain. */
async function isMyTurn({ config, vault, name }: VaultUpkeep): Promise<boolean> {
	try {
		await vault.lease('upkeep', name, patienceRounds * config.upkeepMs)
		return true
	} catch (error) {
		if (error instanceof ReprieveError && error.code === 'CONFLICT') return false
		throw error
	}
}
