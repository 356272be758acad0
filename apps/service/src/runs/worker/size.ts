import type { Sql } from '@reprieve/postgres'
import type { UnitRange } from './drift.ts'
import type { RunShape } from './shape.ts'

const smallest = 100

/** A table costs a batch as much as some tens of its rows do: fewer than these would buy more batches and no time. */
const perTable = 10

/**
 * Rows for the next batch: the same rate for the target duration, at most twice and at least half as many, never fewer
 * than 100 (or the limit), and not made fewer than 10 for each of the batch's tables.
 */
export function nextBatchRows(
	now: { rows: number; milliseconds: number; aimed: number; tables: number },
	targetMs: number,
	limit: number,
): number {
	// A batch cut short by the plan's end or by drift says nothing about a full one.
	if (now.rows < now.aimed / 2 && now.milliseconds < targetMs) return now.aimed
	const ratio = targetMs / Math.max(now.milliseconds, 1)
	const aimed = Math.round(now.aimed * Math.min(2, Math.max(0.5, ratio)))
	const floor = Math.max(smallest, Math.min(now.aimed, now.tables * perTable))
	return Math.min(limit, Math.max(floor, aimed))
}

/** Units behind `done` that together hold at most `rows` planned rows; one unit at least. Undefined at the plan's end. */
export async function nextRange(
	sql: Sql,
	shape: RunShape,
	done: number,
	rows: number,
): Promise<(UnitRange & { rows: number }) | undefined> {
	// Each table's first rows + 1 rows reach beyond the cut, so every unit before it is counted whole.
	const parts = shape.tables.map(
		(table) => `(select unit from ${table.rows} where unit > $1::int8 order by unit limit $2::int8 + 1)`,
	)
	const [cut] = await sql.unsafe<{ to: string | null; rows: string | null; first: string | null }[]>(
		`with counted as (
			select unit, sum(count(*)) over (order by unit) as running from (${parts.join(' union all ')}) u group by unit)
		select max(unit) filter (where running <= $2::int8) as to, max(running) filter (where running <= $2::int8) as rows,
			min(unit) as first from counted`,
		[done, rows],
	)
	if (!cut || cut.first === null) return undefined
	if (cut.to !== null) return { from: done + 1, to: Number(cut.to), rows: Number(cut.rows) }
	const unit = Number(cut.first)
	return { from: done + 1, to: unit, rows: await countUnit(sql, shape, unit) }
}

async function countUnit(sql: Sql, shape: RunShape, unit: number): Promise<number> {
	const parts = shape.tables.map((table) => `(select count(*) from ${table.rows} where unit = $1::int8)`)
	const [row] = await sql.unsafe<{ rows: string }[]>(`select ${parts.join(' + ')} as rows`, [unit])
	return Number(row?.rows)
}
