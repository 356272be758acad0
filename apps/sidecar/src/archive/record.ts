import { randomUUID } from 'node:crypto'
import {
	type ArchivedTransaction,
	type CaptureIncident,
	type Finding,
	formatInstant,
	formatLsn,
	type Position,
	ReprieveError,
} from '@reprieve/contracts'
import {
	barriers,
	type Control,
	type ControlTransaction,
	captureGaps,
	captureState,
	incidents,
	lineages,
	receipts,
} from '@reprieve/control'
import { and, eq, isNull, lt, or, sql } from 'drizzle-orm'
import { breakCodes } from '../break.ts'
import type { CommittedTransaction } from '../capture/transaction.ts'
import type { NamedCommit } from '../lineage/nonce.ts'

export type Standpoint = {
	lineage: string
	state: 'starting' | 'streaming' | 'stopped'
	received?: bigint
	archived?: bigint
	acknowledged?: bigint
}

/**
 * Copies what the vault has into the control schema in one transaction, and wakes who waits for it
 * (`reprieve_receipts`). Idempotent.
 */
export async function recordArchived(
	control: Control,
	transactions: CommittedTransaction[],
	standpoint: Standpoint,
): Promise<void> {
	await control.db.transaction(async (tx) => {
		await copyTransactions(tx, transactions, standpoint.lineage)
		await writeStandpoint(tx, standpoint)
		await tx.execute(sql`select pg_catalog.pg_notify('reprieve_receipts', '')`)
	})
}

/** What a receipt tells the control schema. */
export type Receipted = Pick<CommittedTransaction, 'archived' | 'incidents' | 'gaps'>

/** As {@link recordArchived}, beside a capture that writes where it stands itself: `archived` alone moves, forward. */
export async function recordReceipts(
	control: Control,
	transactions: Receipted[],
	{ lineage, archived }: { lineage: string; archived: bigint },
): Promise<void> {
	await control.db.transaction(async (tx) => {
		await copyTransactions(tx, transactions, lineage)
		await tx
			.update(captureState)
			.set({ archived })
			.where(
				and(eq(captureState.lineage, lineage), or(isNull(captureState.archived), lt(captureState.archived, archived))),
			)
		await tx.execute(sql`select pg_catalog.pg_notify('reprieve_receipts', '')`)
	})
}

/** Writes where capture stands, with a heartbeat of the database's own clock. */
export async function recordStandpoint(control: Control, standpoint: Standpoint): Promise<void> {
	await writeStandpoint(control.db, standpoint)
}

/** Own capture takes over: what the gate asked of another source, and what that one found, is past. */
export async function recordChannel(control: Control, lineage: string): Promise<void> {
	await control.db.update(lineages).set({ channel: 'stream' }).where(eq(lineages.id, lineage))
	await recordFindings(control, [])
}

/**
 * What capture itself finds wrong on its way to the vault: closes the gate of every table until it finds nothing. Answers
 * false while capture has no state yet that it could stand in.
 */
export async function recordFindings(control: Control, findings: Finding[]): Promise<boolean> {
	const written = await control.db.update(captureState).set({ findings }).returning({ id: captureState.id })
	return written.length > 0
}

/** Records an incident; the same one again changes nothing. */
export async function recordIncident(db: Control['db'] | ControlTransaction, incident: CaptureIncident): Promise<void> {
	const { position, ...rest } = incident
	await db
		.insert(incidents)
		.values({ ...rest, position: position === undefined ? undefined : formatLsn(position), at: sql`now()` })
		.onConflictDoNothing()
}

/** Records a range of the log that was not archived. */
export async function recordGap(
	db: Control['db'] | ControlTransaction,
	gap: { lineage: string; table?: string; from?: bigint; to: bigint; reason: string },
): Promise<void> {
	const { lineage, table, from, to, reason } = gap
	await db
		.insert(captureGaps)
		.values({ id: randomUUID(), lineage, table, fromPosition: from, toPosition: to, reason, recordedAt: sql`now()` })
}

/**
 * Names the vault's newest commit in the database: before the acknowledgement, and before the vault names it too. Throws
 * CONFLICT where another capture did meanwhile: a statement that arrives late must not undo what its successor named.
 */
export async function recordNonce(
	control: Control,
	lineage: string,
	{ nonce, previous, replaces, position }: NamedCommit,
): Promise<void> {
	const isUnchanged = replaces === null ? isNull(lineages.nonce) : eq(lineages.nonce, replaces)
	const named = await control.db
		.update(lineages)
		.set({ nonce, previousNonce: previous ?? null, nonceAt: position })
		.where(and(eq(lineages.id, lineage), isUnchanged))
		.returning({ id: lineages.id })
	if (named.length > 0) return
	throw new ReprieveError('CONFLICT', `the database does not have nonce ${replaces} of lineage ${lineage} any more`, {
		hint: 'Another capture may have taken over; this one waits for its turn.',
		retryable: true,
	})
}

async function copyTransactions(tx: ControlTransaction, transactions: Receipted[], lineage: string): Promise<void> {
	const archived = transactions.flatMap((transaction) => transaction.archived ?? [])
	await insertReceipts(tx, archived, lineage)
	await recordBarriers(tx, archived)
	for (const transaction of transactions) await recordTroubles(tx, transaction, lineage)
}

async function insertReceipts(tx: ControlTransaction, archived: ArchivedTransaction[], lineage: string): Promise<void> {
	const rows = archived
		.filter((transaction) => transaction.tag || Object.keys(transaction.rows).length > 0)
		.map(({ position, xid, committedAt, tag, seal, rows }) => ({
			...placeOf(position),
			...{ xid, rows, committed_at: formatInstant(committedAt) },
			...{ kind: tag?.kind, job_id: tag?.id, batch: tag?.batch, sealed: seal?.rows, collateral: seal?.collateral },
		}))
	if (rows.length === 0) return
	await tx.execute(sql`
		insert into ${receipts} (lineage, timeline, position, xid, committed_at, archived_at, kind, job_id, batch, rows, sealed, collateral)
		select ${lineage}, timeline, position, xid, committed_at, clock_timestamp(), kind, job_id, batch, rows, sealed, collateral
		from jsonb_to_recordset(${JSON.stringify(rows)}::jsonb) as given(timeline int, position pg_lsn, xid bigint,
			committed_at timestamptz, kind text, job_id text, batch int, rows jsonb, sealed jsonb, collateral jsonb)
		on conflict do nothing`)
}

async function recordBarriers(tx: ControlTransaction, archived: ArchivedTransaction[]): Promise<void> {
	const rows = archived.flatMap(({ position, barriers }) => barriers.map((nonce) => ({ ...placeOf(position), nonce })))
	if (rows.length === 0) return
	await tx.execute(sql`
		insert into ${barriers} (nonce, position, timeline, archived_at)
		select nonce, position, timeline, clock_timestamp()
		from jsonb_to_recordset(${JSON.stringify(rows)}::jsonb) as given(nonce text, position pg_lsn, timeline int)
		on conflict do nothing`)
}

async function recordTroubles(tx: ControlTransaction, transaction: Receipted, lineage: string) {
	for (const incident of transaction.incidents) await recordIncident(tx, incident)
	for (const { table, position, reason } of transaction.gaps) {
		const known = await tx
			.select({ id: captureGaps.id })
			.from(captureGaps)
			.where(and(eq(captureGaps.lineage, lineage), eq(captureGaps.table, table), eq(captureGaps.toPosition, position)))
		if (known.length === 0) await recordGap(tx, { lineage, table, from: position, to: position, reason })
	}
}

async function writeStandpoint(db: Control['db'] | ControlTransaction, standpoint: Standpoint): Promise<void> {
	const set = { ...standpoint, heartbeatAt: sql`clock_timestamp()` }
	await db
		.insert(captureState)
		.values({ id: 1, ...set })
		.onConflictDoUpdate({
			target: captureState.id,
			set: standpoint.state === 'streaming' ? { ...set, findings: withoutBreaks } : set,
		})
}

/** Whoever streams is not broken off, whatever a capture said that has lost its place since. */
const withoutBreaks = sql`coalesce((
	select jsonb_agg(finding) from jsonb_array_elements(${captureState.findings}) finding
	where finding ->> 'code' <> all (${`{${breakCodes.join(',')}}`}::text[])), '[]')`

function placeOf(position: Position): { timeline: number; position: string } {
	return { timeline: position.timeline, position: formatLsn(position.lsn) }
}
