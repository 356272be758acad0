import type { Transaction } from '@reprieve/postgres'
import {
	type BatchContext,
	type BatchCounts,
	type BatchSource,
	type RestoreCursor,
	restoreBatch,
} from '@reprieve/restore'
import type { Services } from '../../context.ts'
import type { TableCounts } from '../read.ts'
import type { ClaimedRestore, RestoreLease } from './claim.ts'
import { showSession } from './sessions.ts'

/** Another worker holds the restore under a newer epoch. */
export class RestoreLeaseLost extends Error {}

/** Counts per archived table. */
export type Counts = Map<string, BatchCounts>

type BatchWork = Pick<BatchContext, 'isStaged' | 'turn' | 'goes' | 'signal'> & {
	cursor: RestoreCursor
	source: BatchSource
}

/**
 * Brings one batch back in a transaction of its own, behind `cursor.done`, and commits it when its turn comes. Throws what
 * restoreBatch does, and RestoreLeaseLost.
 */
export async function writeBatch(
	services: Services,
	claimed: ClaimedRestore,
	{ cursor, source, ...signals }: BatchWork,
): Promise<Counts> {
	const { lease, actor, reason, request } = claimed
	const lineage = await services.lineage()
	const [row] = await services.control.sql<{ timeline: number }[]>`
		select timeline from reprieve.lineages where id = ${lineage}`
	const by = { signer: services.signer, lineage, id: lease.id, actor, reason }
	const context = {
		...{ vault: services.vault, by, request, cursor, timeline: row?.timeline ?? 1 },
		...signals,
	}
	return await services.pools.restore.begin(async (tx) => {
		await tx`set local lock_timeout = '10s'`
		// One that stands still holds rows that its successor, and the application, may wait for.
		await tx`set local idle_in_transaction_session_timeout = '60s'`
		await showSession(tx, lease.id)
		const counted = await restoreBatch(tx, context, source)
		await signals.turn
		await advance(tx, lease, cursor, counted)
		return counted
	})
}

/** Progress commits with the rows, and only under the epoch and the batch that it began with. */
async function advance(
	tx: Transaction,
	lease: RestoreLease,
	cursor: RestoreCursor,
	counts: Map<string, BatchCounts>,
): Promise<void> {
	const sum = (field: keyof BatchCounts) => [...counts.values()].reduce((total, table) => total + table[field], 0)
	const [row] = await tx<{ report: Record<string, TableCounts> }[]>`
		update reprieve.restores set restored = restored + ${sum('restored')}, identical = identical + ${sum('identical')},
			skipped = skipped + ${sum('skipped')}, conflicts = conflicts + ${sum('conflicts')},
			relinked = relinked + ${sum('relinked')}, verified = verified + ${sum('verified')},
			cursor = jsonb_set(cursor, '{done}', to_jsonb(${cursor.done + 1}::int4)), waiting = null
		where id = ${lease.id} and epoch = ${lease.epoch} and lease_owner = ${lease.owner}
			and (cursor ->> 'done')::int4 = ${cursor.done}
		returning report`
	if (!row) throw new RestoreLeaseLost(`restore ${lease.id} is not held under epoch ${lease.epoch} any more`)
	const report = addCounts(row.report, counts)
	await tx`update reprieve.restores set report = ${JSON.stringify(report)}::text::jsonb where id = ${lease.id}`
}

function addCounts(report: Record<string, TableCounts>, counts: Map<string, BatchCounts>): Record<string, TableCounts> {
	return Object.fromEntries(
		Object.entries(report).map(([table, before]) => {
			const more = counts.get(table)
			if (!more) return [table, before]
			return [
				table,
				{
					selected: before.selected,
					restored: before.restored + more.restored,
					identical: before.identical + more.identical,
					skipped: before.skipped + more.skipped,
					relinked: before.relinked + more.relinked,
					verified: before.verified + more.verified,
				},
			]
		}),
	)
}
