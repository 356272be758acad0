import { signMessage } from '@reprieve/cdc'
import { messagePrefix, type Row, type Seal, type Tag } from '@reprieve/contracts'
import type { Transaction } from '@reprieve/postgres'
import type { Services } from '../../context.ts'
import { classifyMissing, type Deleted, deleteRows, type PlannedRow } from './delete-rows.ts'
import { type DriftedRow, droppedUnits, findDrift, lockRows, type UnitRange } from './drift.ts'
import { BatchFinding } from './finding.ts'
import { lockAndReadGate, requireOpenGate } from './gate.ts'
import { readPlannedKey, recordBatch } from './record.ts'
import { needsLocks, type RunShape } from './shape.ts'
import type { BatchRange } from './size.ts'
import { readServerCounts, type Tally, tallyBatch } from './tally.ts'

/** The hold that a worker has on a run; a batch commits only under it. */
export type Lease = { runId: string; owner: string; epoch: number }

/** One batch to do. */
export type Batch = {
	lease: Lease
	/** From 1. */
	number: number
	range: BatchRange
	lineage: string
	actor: string
	reason: string
}

/** Milliseconds that a batch waits for a lock, that one of its statements may take, and that it may stand still. */
export type BatchLimits = { lockTimeoutMs: number; statementTimeoutMs: number; idleTimeoutMs: number }

/** What a batch did, once committed. */
export type BatchDone = { deleted: number; relinked: number; drifted: number; collateral: number; milliseconds: number }

/**
 * Deletes one batch in one READ COMMITTED transaction, in the order of exactness.md section 5: lock and gate, versions and
 * witnesses, tag, one deleting statement, seal, gate and record. Throws, with nothing changed, GateClosed to wait,
 * BatchFinding when the run must not go on, LeaseLost when another worker has it; PostgreSQL's own errors pass through.
 */
export async function deleteBatch(
	services: Services,
	shape: RunShape,
	batch: Batch,
	limits: BatchLimits,
): Promise<BatchDone> {
	const done = await services.pools.delete.begin('isolation level read committed read write', async (tx) => {
		const { xid, startedAt } = await begin(tx, shape, limits)
		await lockAndReadGate(tx, shape)
		const held = await holdRows(tx, shape, batch.range)
		await emit(tx, services, messagePrefix.tag, tagOf(batch, xid))
		const before = await readServerCounts(tx)
		const deleted = await explain(shape, () => deleteRows(tx, shape, batch.range, droppedUnits(held)))
		const drifted = await settleMissing(tx, shape, held, deleted)
		await explain(shape, () => tx`set constraints all immediate`)
		const after = await readServerCounts(tx)
		const tally = await tallyBatch(tx, shape, { returned: deleted.counts, before, after })
		await emit(tx, services, messagePrefix.seal, sealOf(batch, xid, tally))
		await requireOpenGate(tx, [...new Set([...shape.oids, ...tally.collateralOids])])
		return await recordBatch(tx, shape, { batch, xid, startedAt, tally, drifted })
	})
	return done as BatchDone
}

/**
 * Fixes this transaction's time-outs, whatever was set before, and gives it its xid. The replication role can only be read:
 * setting it, even to what it is, needs a right that the deleting role should not have. One DELETE looks a planned row up once,
 * which the planner cannot know: with memoize it would keep each for a second time. Witnesses, dependents and what
 * triggers look up may be the same for many rows.
 */
async function begin(
	tx: Transaction,
	shape: RunShape,
	limits: BatchLimits,
): Promise<{ xid: string; startedAt: string }> {
	const isOneDelete = !needsLocks(shape) && !shape.hasTriggers
	const [row] = await tx<{ xid: string; startedAt: string; role: string }[]>`
		select pg_current_xact_id()::text as xid, clock_timestamp()::text as "startedAt",
			current_setting('session_replication_role') as role,
			set_config('lock_timeout', ${String(limits.lockTimeoutMs)}, true),
			set_config('statement_timeout', ${String(limits.statementTimeoutMs)}, true),
			set_config('idle_in_transaction_session_timeout', ${String(limits.idleTimeoutMs)}, true),
			set_config('synchronous_commit', 'on', true), set_config('row_security', 'off', true),
			set_config('search_path', 'pg_catalog', true),
			set_config('enable_memoize', case when ${isOneDelete} then 'off' else current_setting('enable_memoize') end, true)`
	if (row?.role !== 'origin') {
		throw new BatchFinding(
			'NOT_RESTORABLE',
			`the deleting session has session_replication_role ${row?.role}, not origin`,
			{
				hint: 'Reset session_replication_role of the role and the database: foreign keys and triggers are off otherwise.',
			},
		)
	}
	return row
}

/** Where rows have dependents or witnesses: holds them, then says which must stay. Elsewhere one DELETE does both. */
async function holdRows(tx: Transaction, shape: RunShape, range: UnitRange): Promise<DriftedRow[]> {
	if (!needsLocks(shape)) return []
	await lockRows(tx, shape, range)
	return await findDrift(tx, shape, range)
}

/** SQLSTATEs that are nobody's fault but a trigger's or rule's: raised, failed in its function, or not supported here. */
const ofTriggers = /^(?!23503|23001)(P0|0A|2[0-9F]|38|39|42)/

/** What PostgreSQL refuses where a trigger or rule of somebody's own may be behind it becomes a finding. */
async function explain<T>(shape: RunShape, act: () => PromiseLike<T>): Promise<T> {
	try {
		return await act()
	} catch (error) {
		const { code = '', message } = error as { code?: string; message?: string }
		if (!shape.hasTriggers || !ofTriggers.test(code)) throw error
		throw new BatchFinding('NOT_RESTORABLE', `PostgreSQL refused the delete (SQLSTATE ${code}): ${message}`, {
			hint: "Look at the tables' triggers and rules: disable the one that refuses; a function that needs a search_path must set its own.",
			cause: error,
		})
	}
}

/** Rows that the statement did not return: drifted in the single DELETE, else (or still there) somebody suppressed them. */
async function settleMissing(
	tx: Transaction,
	shape: RunShape,
	held: DriftedRow[],
	deleted: Deleted,
): Promise<DriftedRow[]> {
	if (deleted.missing.length === 0) return held
	if (needsLocks(shape)) throw await suppressed(tx, shape, deleted.missing)
	const settled = await classifyMissing(tx, shape, deleted.missing)
	if (settled.suppressed.length > 0) throw await suppressed(tx, shape, settled.suppressed)
	return settled.drifted
}

async function suppressed(tx: Transaction, shape: RunShape, rows: PlannedRow[]): Promise<BatchFinding> {
	const first = rows[0] as PlannedRow
	const key: Row = await readPlannedKey(tx, shape, first)
	const name = shape.tables[first.table]?.planned.table
	return new BatchFinding('NOT_RESTORABLE', `${rows.length} locked rows of ${name} were not deleted by the statement`, {
		key,
		hint: 'A trigger or rule keeps or deletes them; disable it, or leave such rows out of the policy.',
	})
}

async function emit(tx: Transaction, services: Services, prefix: string, body: Tag | Seal): Promise<void> {
	await tx`select pg_logical_emit_message(true, ${prefix}::text, ${signMessage(services.signer, prefix, body)}::text)`
}

function tagOf(batch: Batch, xid: string): Tag {
	const { lineage, actor, reason } = batch
	return { kind: 'run', lineage, xid, id: batch.lease.runId, batch: batch.number, actor, reason }
}

function sealOf(batch: Batch, xid: string, { rows, collateral }: Tally): Seal {
	return { lineage: batch.lineage, xid, id: batch.lease.runId, batch: batch.number, rows, collateral }
}
