import { ReprieveError } from '@reprieve/contracts'
import type { Sql } from '@reprieve/postgres'
import type { TransactionLog, Vault, VaultTable } from '@reprieve/vault'
import type { UpkeepOptions } from './loop.ts'

/** Merging holds decoded rows in memory, several times as large as their segments, beside the stream's own buffers. */
const mergedBytes = 16 * 1024 * 1024

/** Rounds that another process waits before it takes over the upkeep of one that is gone. */
const patienceRounds = 3

/** Merges small segments and writes checkpoints, over every table and the record of transactions. */
export async function keepVault(options: UpkeepOptions): Promise<void> {
	const { vault, log } = options
	if (!(await isMyTurn(options))) return
	for (const archive of await archivesOf(vault)) {
		const { merged, written } = await archive.compact({ targetBytes: mergedBytes })
		if (merged > 0) log.info({ merged, written }, 'compacted')
		await archive.checkpoint()
	}
}

/** Deletes what the logs let go of long ago, by this machine's clock and by the database's. */
export async function sweepVault(options: UpkeepOptions): Promise<void> {
	const { vault, log } = options
	if (!(await isMyTurn(options))) return
	const now = await readClock(options.owner)
	for (const archive of await archivesOf(vault)) {
		const { segments, entries } = await archive.sweep({ now })
		if (segments + entries > 0) log.info({ segments, entries }, 'swept')
	}
}

/** A machine whose clock is ahead would take what a restore still pins for long gone. */
async function readClock(sql: Sql): Promise<number> {
	const [row] = await sql<{ now: number }[]>`select extract(epoch from clock_timestamp())::float8 * 1000 as now`
	return Number(row?.now)
}

async function archivesOf(vault: Vault): Promise<(VaultTable | TransactionLog)[]> {
	const tables = await vault.tables()
	return [vault.transactions, ...tables.map((name) => vault.table(name))]
}

/** Of several processes one does the upkeep: the others would only do the same work in vain. */
async function isMyTurn({ config, vault, name }: UpkeepOptions): Promise<boolean> {
	try {
		await vault.lease('upkeep', name, patienceRounds * config.upkeepMs)
		return true
	} catch (error) {
		if (error instanceof ReprieveError && error.code === 'CONFLICT') return false
		throw error
	}
}
