import { ReprieveError, type Row, type RowCounts } from '@reprieve/contracts'
import type { PlannedTable } from '@reprieve/control'
import { arrayLiteral, type Transaction } from '@reprieve/postgres'
import type { Batch, BatchDone, Lease } from './delete-batch.ts'
import type { PlannedRow } from './delete-rows.ts'
import { type DriftedRow, droppedUnits } from './drift.ts'
import { needsLocks, type RunShape, type TableShape } from './shape.ts'
import type { Tally } from './tally.ts'

/** Another worker has the run: whatever this one was doing rolls back. */
export class LeaseLost extends ReprieveError {
	constructor(lease: Lease) {
		super('CONFLICT', `run ${lease.runId} is no longer held under epoch ${lease.epoch}`)
	}
}

type Entry = { batch: Batch; xid: string; startedAt: string; tally: Tally; drifted: DriftedRow[] }

/**
 * Writes the batch, its drifted rows and the run's progress into the deleting transaction. The run's row is taken last
 * and tested for epoch and lease, so that a runner that was replaced cannot commit. Throws {@link LeaseLost}.
 */
export async function recordBatch(tx: Transaction, shape: RunShape, entry: Entry): Promise<BatchDone> {
	const { batch, tally } = entry
	const drifted = await recordDrifted(tx, shape, entry)
	const totals = {
		deleted: sum(tally.rows, 'deleted'),
		relinked: sum(tally.rows, 'relinked'),
		collateral: sum(tally.collateral, 'deleted'),
		drifted,
	}
	const [row] = await tx<{ milliseconds: number }[]>`
		insert into reprieve.batches
			(run_id, batch, xid, from_unit, to_unit, rows, collateral, deleted, drifted, milliseconds, at)
		values (${batch.lease.runId}, ${batch.number}, ${entry.xid}, ${batch.range.from}, ${batch.range.to},
			${JSON.stringify(tally.rows)}::text::jsonb, ${JSON.stringify(tally.collateral)}::text::jsonb,
			${totals.deleted + totals.relinked}, ${drifted},
			round(extract(epoch from clock_timestamp() - ${entry.startedAt}::timestamptz) * 1000), clock_timestamp())
		returning milliseconds`
	await recordProgress(tx, batch, totals)
	return { ...totals, milliseconds: row?.milliseconds ?? 0 }
}

async function recordProgress(tx: Transaction, batch: Batch, totals: Omit<BatchDone, 'milliseconds'>): Promise<void> {
	const { lease, range } = batch
	const updated = await tx`
		update reprieve.runs set unit = ${range.to}, batches = ${batch.number}, deleted = deleted + ${totals.deleted}::int8,
			relinked = relinked + ${totals.relinked}::int8, drifted = drifted + ${totals.drifted}::int8,
			collateral = collateral + ${totals.collateral}::int8, waiting = null
		where id = ${lease.runId} and epoch = ${lease.epoch} and lease_owner = ${lease.owner}
			and lease_until > clock_timestamp() and unit = ${range.from - 1}
			and status in ('running', 'pausing', 'cancelling')`
	if (updated.count !== 1) throw new LeaseLost(lease)
}

function sum(counts: RowCounts, kind: 'deleted' | 'relinked'): number {
	return Object.values(counts).reduce((total, entry) => total + entry[kind], 0)
}

/** Every planned row that stays: the drifted ones, and those that stay because their unit does. Answers how many. */
async function recordDrifted(tx: Transaction, shape: RunShape, { batch, drifted }: Entry): Promise<number> {
	if (drifted.length === 0) return 0
	let written = 0
	for (const [index, table] of shape.tables.entries()) {
		const own = drifted.filter((row) => row.table === index)
		const inserted = await tx.unsafe(
			`insert into reprieve.drifted_rows (run_id, batch, n, "table", key, why)
			select $1, $2::int4, $3::int4 + row_number() over (order by p.unit, p.n), $4, ${keyJson(table.planned, 'p')},
				coalesce(w.why, 'dependentDrifted')
			from ${table.rows({ from: '$9::int8', to: '$10::int8' })} p
			left join unnest($5::int8[], $6::int4[], $7::text[]) w(unit, n, why) on w.unit = p.unit and w.n = p.n
			where p.unit between $9::int8 and $10::int8 and ${needsLocks(shape) ? 'p.unit = any($8::int8[])' : 'w.why is not null and p.unit = any($8::int8[])'}`,
			[
				batch.lease.runId,
				batch.number,
				written,
				table.planned.table,
				arrayLiteral(own.map((row) => row.unit)),
				arrayLiteral(own.map((row) => row.n)),
				arrayLiteral(own.map((row) => row.why)),
				arrayLiteral(droppedUnits(drifted)),
				batch.range.from,
				batch.range.to,
			],
		)
		written += inserted.count
	}
	return written
}

/** The key of one planned row, as the API shows it. */
export async function readPlannedKey(tx: Transaction, shape: RunShape, row: PlannedRow): Promise<Row> {
	const table = shape.tables[row.table] as TableShape
	const [found] = await tx.unsafe<{ key: Row }[]>(
		`select ${keyJson(table.planned, 'p')} as key from ${table.rows({ from: '$1::int8', to: '$1::int8' })} p where p.unit = $1::int8 and p.n = $2::int4`,
		[row.unit, row.n],
	)
	return found?.key ?? {}
}

/** Types whose values are JSON numbers and booleans; every other is PostgreSQL's text. */
const nativeTypes: ReadonlySet<string> = new Set(['smallint', 'integer', 'boolean'])

function keyJson(planned: PlannedTable, alias: string): string {
	const parts = planned.key.map(({ column, typeName }, place) => {
		const value = `${alias}.k${place + 1}`
		return `'${column.replaceAll("'", "''")}', ${nativeTypes.has(typeName) ? value : `${value}::text`}`
	})
	return `jsonb_build_object(${parts.join(', ')})`
}
