import type { Sql } from '@reprieve/postgres'
import type { UnitRange } from './drift.ts'
import type { RunShape } from './shape.ts'

/** Units of a batch, and how many planned rows they hold. */
export type BatchRange = UnitRange & { rows: number }

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
): Promise<BatchRange | undefined> {
	const [only] = shape.tables
	if (only?.planned.packed) return rangeOfSingles(only.planned.rows, done, rows)
	const each = (select: (rows: string) => string) => shape.tables.map((table) => `(${select(table.rows())})`)
	const units = each((of) => `select unit from ${of} p where unit > $1::int8 order by unit limit $2::int8 + 1`)
	const ends = each((of) => `select max(unit) from ${of} p`)
	const counts = each((of) => `select count(*) from ${of} p where unit between $1::int8 + 1 and cut.unit`)
	// The unit of the first row too many is left out, unless it is the first of all.
	const [cut] = await sql.unsafe<{ to: string; rows: string }[]>(
		`with beyond as materialized (
			select unit from (${units.join(' union all ')}) u order by unit offset $2::int8 limit 1)
		select cut.unit as to, ${counts.join(' + ')} as rows
		from (select greatest(coalesce((select unit - 1 from beyond), greatest(${ends.join(', ')})), $1::int8 + 1) as unit) cut`,
		[done, rows],
	)
	const counted = Number(cut?.rows)
	return counted > 0 ? { from: done + 1, to: Number(cut?.to), rows: counted } : undefined
}

/** Where each planned row is a unit of its own. */
function rangeOfSingles(planned: number, done: number, rows: number): BatchRange | undefined {
	const to = Math.min(done + Math.max(rows, 1), planned)
	return to > done ? { from: done + 1, to, rows: to - done } : undefined
}
