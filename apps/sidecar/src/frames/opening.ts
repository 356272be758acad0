import { ReprieveError, type TableName } from '@reprieve/contracts'
import type { Vault } from '@reprieve/vault'
import { frameSource, offsetMark, transactionsSource } from '../kafka/sources.ts'
import { endOf, laterPlace } from './chain.ts'
import type { Epoch } from './lineage.ts'
import { TablePartition } from './partition.ts'
import { ReceiptQueue } from './queue.ts'

/** What the group remembers of a lane: an offset, and the source for which an archiver said it. */
export type GroupOffset = { offset: bigint; metadata: string }

/** Where reading of a lane begins. */
export type Beginning = {
	offset: bigint
	/** Nothing before `offset` is missing from what the vault has, as far as the vault or an archiver said so. */
	isContiguous: boolean
}

/** The vault says where to begin; else what an archiver told the group, else the first record. Pure. */
function findBeginning(hint: bigint | undefined, group: GroupOffset | undefined, source: string): Beginning {
	if (hint !== undefined) return { offset: hint, isContiguous: true }
	if (!group) return { offset: 0n, isContiguous: true }
	return { offset: group.offset, isContiguous: group.metadata === source }
}

type Place = { vault: Vault; epoch: Epoch; group: GroupOffset | undefined }

/** A partition of a table's topic, as its table's log says it stands. `archived`: everything before it has its receipt. */
export async function openPartition(
	{ vault, epoch, group }: Place,
	table: TableName,
	{ partition, archived }: { partition: number; archived: bigint },
): Promise<Beginning & { partition: TablePartition }> {
	const lineage = epoch.lineage.id
	const source = frameSource(lineage, epoch.epoch, partition)
	const log = vault.table(table)
	const sources = await log.sources()
	const beginning = findBeginning(sources.get(offsetMark(source)), group, source)
	const floor = [archived - 1n, sources.get(source) ?? 0n, sources.get(lineage) ?? 0n].map(endOf).reduce(laterPlace)
	return {
		...beginning,
		partition: new TablePartition({
			...{ table: log, source, floor, isContiguous: beginning.isContiguous },
			archived: sources.get(source) ?? null,
		}),
	}
}

/** Everything of the lineage before it has its receipt. */
export async function readArchived({ vault, epoch }: Omit<Place, 'group'>): Promise<bigint> {
	const archived = await vault.transactions.archived(epoch.lineage.id)
	if (archived !== undefined) return archived
	throw new ReprieveError('VAULT_CORRUPT', `the vault's record of transactions lost lineage ${epoch.lineage.id}`)
}

/** The record of transactions, as it stands. */
export async function openQueue({ vault, epoch, group }: Place): Promise<Beginning & { queue: ReceiptQueue }> {
	const source = transactionsSource(epoch.lineage.id, epoch.epoch)
	const beginning = findBeginning(await vault.transactions.archived(offsetMark(source)), group, source)
	const { offset, isContiguous } = beginning
	// Read last: where somebody else still writes receipts, reading begins too early, which repeats, and never too late.
	const archived = await readArchived({ vault, epoch })
	return { ...beginning, queue: new ReceiptQueue({ archived, isContiguous, next: offset }) }
}
