import { type ArchivedTransaction, changeOps, formatLsn, formatTableName, type TableName } from '@reprieve/contracts'
import type { Control } from '@reprieve/control'
import {
	archivedOn,
	type Branch,
	branchSource,
	endMarkOf,
	type RecordedTransaction,
	undoneSource,
	type Vault,
} from '@reprieve/vault'
import { recordIncident } from '../archive/record.ts'
import { adoptRemedy, CaptureStopped, makeIncident } from '../incident.ts'
import type { ControlLineage, Evidence, Promotion } from './judge.ts'

/**
 * Takes a lineage over to the timeline of the primary that was promoted, under its lease: notes where its own timeline
 * ended, and what it had archived beyond. Cut short anywhere it is done again. Throws CaptureStopped when records of
 * several lineages cannot be told apart.
 */
export async function followPromotion(
	{ control, vault }: { control: Control; vault: Vault },
	promotion: Promotion & { evidence: Evidence },
): Promise<void> {
	const { lineage, ended, end, evidence } = promotion
	const left = { ...(await vault.transactions.branch(lineage)), timeline: lineage.timeline }
	const before: Branch = { ...left, ended: left.ended.filter(({ timeline }) => timeline < lineage.timeline) }
	const after: Branch = { lineage: lineage.id, timeline: evidence.identity.timeline, ended }
	const recorded = await readBeyond(vault, before, end)
	const unrecorded = await recordOrphans(vault, before, { end, recorded })
	const undone = [...recorded.filter(({ position }) => position.timeline === before.timeline), ...unrecorded]
	if (undone.length > 0) await recordIncident(control.db, undoneIncident(after, end, undone))
	const note = { from: before.timeline, timeline: after.timeline, end: formatLsn(end), undone: undone.length }
	await vault.putAudit({ act: 'promotion', lineage: lineage.id, ...note })
	const archived = (await archivedOn(vault.transactions, after, (at) => at)) ?? end
	await vault.transactions.append({
		...{ source: branchSource(after), position: archived, transactions: [] },
		marks: ended.map((of) => ({ source: endMarkOf(lineage.id, of.timeline), position: of.end })),
	})
	const nonces = knownNonces(lineage.nonces, evidence.control)
	await vault.putLineage({ ...lineage, timeline: after.timeline, nonces })
}

/** What the vault has recorded at and behind a position, of this lineage. */
async function readBeyond(vault: Vault, { lineage, timeline }: Branch, end: bigint): Promise<RecordedTransaction[]> {
	const found = await Array.fromAsync(vault.transactions.read({ positions: { from: end } }))
	const isOnly = (await vault.lineages()).length === 1
	if (!isOnly && found.some((of) => of.lineage === undefined && of.position.timeline === timeline)) throw undecided(end)
	return found.filter((of) => (of.lineage ?? lineage) === lineage)
}

/** Rows that a table's log took beyond the end of the timeline, and no receipt names: a killed capture left them. */
async function recordOrphans(
	vault: Vault,
	branch: Branch,
	{ end, recorded }: { end: bigint; recorded: RecordedTransaction[] },
): Promise<ArchivedTransaction[]> {
	const known = new Set(recorded.map((of) => identityOf(of.position.lsn, of)))
	const archived = (await archivedOn(vault.transactions, branch, (at) => at)) ?? 0n
	const from = archived > end ? archived : end
	const orphans = new Map<string, ArchivedTransaction>()
	for (const table of await vault.tables()) {
		const to = await vault.table(table).archived(branchSource(branch))
		if (to !== undefined && to >= from) await gatherOrphans(vault, { table, from, to }, { branch, known, orphans })
	}
	const transactions = [...orphans.values()].sort((a, b) => (a.position.lsn < b.position.lsn ? -1 : 1))
	const newest = transactions.at(-1)
	if (!newest) return []
	const source = undoneSource(branch.lineage, branch.timeline)
	await vault.transactions.append({ source, lineage: branch.lineage, position: newest.end, transactions })
	return transactions
}

async function gatherOrphans(
	vault: Vault,
	{ table, from, to }: { table: TableName; from: bigint; to: bigint },
	{ branch, known, orphans }: { branch: Branch; known: Set<string>; orphans: Map<string, ArchivedTransaction> },
): Promise<void> {
	const label = formatTableName(table)
	for await (const rows of vault.table(table).read({ positions: { from, to } })) {
		for (let row = 0; row < rows.count; row++) {
			const lsn = rows.position[row] as bigint
			const of = { xid: rows.xid[row] as number, committedAt: rows.committedAt[row] as bigint }
			const identity = identityOf(lsn, of)
			if (known.has(identity)) continue
			const position = { timeline: branch.timeline, lsn }
			const orphan = orphans.get(identity) ?? { position, end: lsn + 1n, ...of, rows: {}, barriers: [] }
			orphans.set(identity, orphan)
			const op = changeOps[rows.op[row] as number]
			if (op !== 'delete' && op !== 'relink') continue
			orphan.rows[label] ??= { deleted: 0, relinked: 0 }
			orphan.rows[label][op === 'delete' ? 'deleted' : 'relinked']++
		}
	}
}

function identityOf(lsn: bigint, { xid, committedAt }: { xid: number; committedAt: bigint }): string {
	return `${lsn}/${xid}/${committedAt}`
}

/** Those that the database knows too: the standby may have been promoted before it heard of the newest. */
function knownNonces<N extends { nonce: string }>(nonces: N[], control: ControlLineage | undefined): N[] {
	const newest = nonces.findLastIndex(({ nonce }) => nonce === control?.nonce || nonce === control?.previousNonce)
	return nonces.slice(0, newest + 1)
}

function undoneIncident({ timeline }: Branch, end: bigint, undone: readonly ArchivedTransaction[]) {
	let rows = 0
	for (const transaction of undone) for (const of of Object.values(transaction.rows)) rows += of.deleted + of.relinked
	return makeIncident({
		code: 'TRANSACTIONS_UNDONE',
		message: `the standby that was promoted (timeline ${timeline}, from ${formatLsn(end)} on) never had ${undone.length} transactions that are archived, with ${rows} rows: they are marked undone`,
		remedy:
			'Restores leave their rows out unless you pick them (`pnpm reprieve search` says which). Name the standbys in synchronized_standby_slots so that nothing is archived before they have it, then resolve the incident.',
		position: end,
		stopsCapture: false,
	})
}

function undecided(end: bigint): CaptureStopped {
	return new CaptureStopped('CAPTURE_GAP', {
		code: 'TIMELINE_CHANGED',
		message: `beyond ${formatLsn(end)}, where the promoted standby branched off, the vault has transactions that do not name their lineage, and it has several`,
		remedy: adoptRemedy,
	})
}
