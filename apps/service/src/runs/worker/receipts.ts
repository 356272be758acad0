import type { RowCounts } from '@reprieve/contracts'
import type { Services } from '../../context.ts'
import { nextStatus, statusesThatAllow } from '../lifecycle.ts'

/** A batch as it was recorded, and the receipt of its transaction. */
export type SealedBatch = { xid: string; rows: RowCounts; collateral: RowCounts }
export type Receipt = {
	/** 32 bits. */
	xid: number
	/** Decoded and archived, collateral included. */
	rows: RowCounts
	sealed: RowCounts | null
	collateral: RowCounts | null
}

/**
 * Why a receipt does not prove its batch; undefined when rows returned = rows in the seal = rows decoded = rows archived,
 * per table.
 */
export function compareReceipt(batch: SealedBatch, receipt: Receipt): string | undefined {
	const xid = Number(BigInt(batch.xid) & 0xffffffffn)
	if (receipt.xid !== xid) return `the batch committed as transaction ${xid}, its receipt is for ${receipt.xid}`
	if (!receipt.sealed) return 'its transaction was archived without a valid seal'
	return (
		differ('sealed', batch.rows, receipt.sealed) ??
		differ('sealed as collateral', batch.collateral, receipt.collateral ?? {}) ??
		differ('archived', addCounts(batch.rows, batch.collateral), receipt.rows)
	)
}

function differ(what: string, expected: RowCounts, found: RowCounts): string | undefined {
	for (const table of new Set([...Object.keys(expected), ...Object.keys(found)])) {
		for (const kind of ['deleted', 'relinked'] as const) {
			const [ours, theirs] = [expected[table]?.[kind] ?? 0, found[table]?.[kind] ?? 0]
			if (ours !== theirs) return `${ours} rows of ${table} were ${kind}, ${theirs} were ${what}`
		}
	}
	return undefined
}

function addCounts(one: RowCounts, other: RowCounts): RowCounts {
	const sum: RowCounts = { ...one }
	for (const [table, { deleted, relinked }] of Object.entries(other)) {
		const entry = sum[table] ?? { deleted: 0, relinked: 0 }
		sum[table] = { deleted: entry.deleted + deleted, relinked: entry.relinked + relinked }
	}
	return sum
}

function countRows(counts: RowCounts): number {
	return Object.values(counts).reduce((total, { deleted, relinked }) => total + deleted + relinked, 0)
}

type Arrived = { runId: string; table: string; batch: number; position: string } & SealedBatch & {
		receiptXid: number
		receiptRows: RowCounts
		sealed: RowCounts | null
		receiptCollateral: RowCounts | null
	}

/**
 * Sets receipts that have arrived against their batches, of every run in any status: equal ones lessen the exposure, an
 * unequal one fails its run and opens an incident. Idempotent; safe to call from several processes. Answers how many were
 * equal.
 */
export async function collectReceipts(services: Services): Promise<number> {
	const arrived = await services.control.sql<Arrived[]>`
		select b.run_id as "runId", u."table", b.batch, b.xid, b.rows, b.collateral, r.position::text as position,
			r.xid::float8 as "receiptXid", r.rows as "receiptRows", r.sealed, r.collateral as "receiptCollateral"
		from reprieve.batches b
		join reprieve.runs u on u.id = b.run_id
		join reprieve.plans p on p.id = u.plan_id
		join reprieve.receipts r on r.kind = 'run' and r.job_id = b.run_id and r.batch = b.batch and r.lineage = p.lineage
		where b.archived_at is null
		order by b.run_id, b.batch limit 1000`
	let equal = 0
	for (const row of arrived) {
		const receipt = {
			xid: row.receiptXid,
			rows: row.receiptRows,
			sealed: row.sealed,
			collateral: row.receiptCollateral,
		}
		const difference = compareReceipt(row, receipt)
		if (difference === undefined) equal += await acceptReceipt(services, row)
		else await refuseReceipt(services, row, difference)
	}
	return equal
}

async function acceptReceipt(services: Services, row: Arrived): Promise<number> {
	const rows = countRows(row.receiptRows)
	const updated = await services.control.sql`
		with archived as (
			update reprieve.batches set archived_at = clock_timestamp(), position = ${row.position}::text::pg_lsn
			where run_id = ${row.runId} and batch = ${row.batch} and archived_at is null returning run_id)
		update reprieve.runs r set archived = r.archived + ${rows}::int8 from archived a where r.id = a.run_id`
	return updated.count
}

/** A new epoch fences the worker: the batch under way rolls back. */
async function refuseReceipt(services: Services, row: Arrived, difference: string): Promise<void> {
	const message = `run ${row.runId}, batch ${row.batch}: ${difference}`
	const remedy = 'Do not start runs; compare the batch with the vault (`reprieve verify`) and report it.'
	const failing = statusesThatAllow('fail')
	await services.control.sql.begin(async (tx) => {
		await tx`
			insert into reprieve.incidents (id, code, message, remedy, "table", position, stops_capture, at)
			values (${`receipt-${row.runId}-${row.batch}`}, 'receiptDiffers', ${message}, ${remedy}, ${row.table},
				${row.position}, false, clock_timestamp())
			on conflict (id) do nothing`
		await tx`
			update reprieve.runs set status = ${nextStatus('fail', 'running')}, epoch = epoch + 1, waiting = null,
				lease_owner = null, lease_until = null, finished_at = clock_timestamp(),
				failure = ${JSON.stringify({ code: 'INTERNAL', message, hint: remedy })}::text::jsonb
			where id = ${row.runId} and status = any(${failing})`
	})
}
