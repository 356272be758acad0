import type { Begin, RowOrigin } from '@reprieve/cdc'
import type { ArchivedTransaction, CaptureIncident, MissedChanges, RowCounts, Seal, Tag } from '@reprieve/contracts'
import { makeIncident } from '../incident.ts'
import { KeySet } from './key-set.ts'

/** A transaction on its way from BEGIN to COMMIT. */
export type OpenTransaction = Begin & {
	/** Given to every row; `ordinal`, `op`, `leaf` and `rewritten` change from row to row. */
	origin: RowOrigin
	nextOrdinal: number
	counts: RowCounts
	/** Rows written or to be written, moves and overwrites included. */
	archivedRows: number
	tag?: Tag
	seal?: Seal
	claim?: { actor: string; reason: string }
	barriers: string[]
	/** OIDs of leaves whose rows were deleted before a TRUNCATE. */
	truncateTags: Set<number>
	/** Carries a message of ours: flushed at once. */
	isUrgent: boolean
	/** By id: the same tripwire may be touched by every row of a transaction. */
	incidents: Map<string, CaptureIncident>
	/** By table. */
	gaps: Map<string, MissedChanges>
	/** Keys of deleted parents that a child may have named. */
	deletedParents: KeySet
}

/** A transaction whose COMMIT has arrived. */
export type CommittedTransaction = {
	/** Undefined when it holds nothing that the archive keeps. */
	archived?: ArchivedTransaction
	end: bigint
	position: bigint
	committedAt: bigint
	xid: number
	isUrgent: boolean
	incidents: CaptureIncident[]
	gaps: MissedChanges[]
}

export function openTransaction(begin: Begin): OpenTransaction {
	const { position, xid, committedAt } = begin
	return {
		...begin,
		origin: { op: 'delete', position, ordinal: 0, xid, committedAt, leaf: null, rewritten: null },
		nextOrdinal: 0,
		// Without a prototype: a table may have the name of what one brings.
		counts: Object.create(null) as RowCounts,
		archivedRows: 0,
		barriers: [],
		truncateTags: new Set(),
		isUrgent: false,
		incidents: new Map(),
		gaps: new Map(),
		deletedParents: new KeySet(),
	}
}

/** Adds to the count of one root. */
export function count(transaction: OpenTransaction, label: string, kind: 'deleted' | 'relinked', by = 1): void {
	transaction.counts[label] ??= { deleted: 0, relinked: 0 }
	transaction.counts[label][kind] += by
}

/** Notes something that must not go unseen, with the gap that it leaves, if any. */
export function report(transaction: OpenTransaction, incident: CaptureIncident, gap?: MissedChanges): void {
	transaction.incidents.set(incident.id, incident)
	if (gap) transaction.gaps.set(gap.table, gap)
}

/** Closes a transaction: what the archive keeps of it, and whether its seal holds. Pure. */
export function closeTransaction(open: OpenTransaction, end: bigint, timeline: number): CommittedTransaction {
	const { position, committedAt, xid, isUrgent } = open
	const incident = sealIncident(open)
	const incidents = [...open.incidents.values(), ...(incident ? [incident] : [])]
	const closed = { end, position, committedAt, xid, isUrgent, incidents, gaps: [...open.gaps.values()] }
	const isKept = open.archivedRows > 0 || open.tag || open.seal || open.claim || open.barriers.length > 0
	if (!isKept) return closed
	const archived: ArchivedTransaction = {
		position: { timeline, lsn: position },
		end,
		xid,
		committedAt,
		rows: Object.fromEntries(Object.entries(open.counts).filter(([, rows]) => rows.deleted + rows.relinked > 0)),
		barriers: open.barriers,
		...(open.tag && { tag: open.tag }),
		...(open.seal && { seal: open.seal }),
		...(open.claim && { claim: open.claim }),
	}
	return { ...closed, archived }
}

function sealIncident(open: OpenTransaction): CaptureIncident | undefined {
	if (open.tag?.kind !== 'run') return undefined
	const { id, batch } = open.tag
	const report = (message: string) =>
		makeIncident({
			code: 'SEAL_MISMATCH',
			message: `run ${id}, batch ${batch}: ${message}`,
			remedy: 'Leave the run stopped; compare the batch in the archive with the run, then resolve the incident.',
			position: open.position,
			stopsCapture: false,
		})
	const { seal } = open
	if (!seal) return report('the transaction is tagged, but carries no seal')
	if (seal.id !== id || seal.batch !== batch) return report(`its seal names run ${seal.id}, batch ${seal.batch}`)
	const differences = differencesOf(seal, open.counts)
	return differences.length > 0 ? report(differences.join('; ')) : undefined
}

function differencesOf(seal: Seal, decoded: RowCounts): string[] {
	const labels = new Set([...Object.keys(seal.rows), ...Object.keys(seal.collateral), ...Object.keys(decoded)])
	return [...labels].flatMap((label) =>
		(['deleted', 'relinked'] as const).flatMap((kind) => {
			const sealed = (seal.rows[label]?.[kind] ?? 0) + (seal.collateral[label]?.[kind] ?? 0)
			const found = decoded[label]?.[kind] ?? 0
			return sealed === found ? [] : [`${label}: the seal says ${sealed} rows ${kind}, the log has ${found}`]
		}),
	)
}
