import { quoteIdentifier } from '@reprieve/contracts'
import { arrayLiteral, type Transaction } from '@reprieve/postgres'
import type { DriftedRow } from './drift.ts'
import { needsLocks, type RunShape, type TableShape } from './shape.ts'
import type { BatchRange } from './size.ts'

/** Rows that one statement returned for one planned table and leaf. */
export type LeafCount = { table: number; leaf: number; rows: number }
/** A planned row by the index of its table in the plan's body. */
export type PlannedRow = { table: number; unit: number; n: number }
export type Deleted = { counts: LeafCount[]; missing: PlannedRow[] }

/**
 * Deletes (and relinks) the planned rows of the range, without the dropped units, in one statement: AFTER triggers and
 * foreign-key actions find all of them gone. Rows that the statement did not return come back as `missing`; where it
 * returned as many as the range holds, nobody looks for them.
 */
export async function deleteRows(
	tx: Transaction,
	shape: RunShape,
	batch: BatchRange,
	dropped: readonly number[],
): Promise<Deleted> {
	const steps = shape.tables.map((table, index) => statement(table, index, !needsLocks(shape)))
	const counts = shape.tables.map(
		(_, index) => `select ${index} as i, leaf, count(*) as rows from d${index} group by leaf`,
	)
	// An anti-join may be planned as nested loops over a batch: how many rows a DELETE returns is anybody's guess.
	const missing = shape.tables.map(
		(table, index) => `select ${index} as i, p.unit, p.n from ${table.rows(range)} p where ${inRange}
			and (p.unit, p.n) not in (select d.unit, d.n from d${index} d)`,
	)
	const [row] = await tx.unsafe(
		`with ${steps.join(',\n')}, counts as (${counts.join(' union all ')})
		select (select coalesce(json_agg(json_build_object('table', i, 'leaf', leaf::int8, 'rows', rows)), '[]')
				from counts) as counts,
			case when (select sum(rows) from counts) = $4::int8 then '[]' else
				(select coalesce(json_agg(json_build_object('table', i, 'unit', unit, 'n', n)), '[]')
				from (${missing.join(' union all ')}) m) end as missing`,
		[batch.from, batch.to, arrayLiteral(dropped), dropped.length > 0 ? null : batch.rows],
	)
	return row as unknown as Deleted
}

const range = { from: '$1::int8', to: '$2::int8' }
const inRange = 'p.unit between $1::int8 and $2::int8 and p.unit <> all($3::int8[])'

function statement(table: TableShape, index: number, testsVersion: boolean): string {
	const where = `${inRange} and ${table.match('t', 'p')}${testsVersion ? ' and t.xmin = p.version' : ''}`
	const returning = 'returning t.tableoid as leaf, p.unit, p.n'
	const { action, rewrites } = table.planned
	if (action === 'delete')
		return `d${index} as (delete from ${table.source} t using ${table.rows(range)} p where ${where} ${returning})`
	const value = action === 'setNull' ? 'null' : 'default'
	const set = rewrites.map((column) => `${quoteIdentifier(column)} = ${value}`).join(', ')
	return `d${index} as (update ${table.source} t set ${set} from ${table.rows(range)} p where ${where} ${returning})`
}

/**
 * Tells, in a new statement, rows of the single DELETE that drifted from rows that it found and did not delete: the
 * latter still stand at their planned version.
 */
export async function classifyMissing(
	tx: Transaction,
	shape: RunShape,
	missing: readonly PlannedRow[],
): Promise<{ drifted: DriftedRow[]; suppressed: PlannedRow[] }> {
	const table = shape.tables[0] as TableShape
	const rows = await tx.unsafe<{ unit: string; n: number; why: 'suppressed' | 'changed' | 'gone' }[]>(
		`select m.unit, m.n, case
				when exists (select from ${table.source} t where ${table.match('t', 'p')} and t.xmin = p.version) then 'suppressed'
				when exists (select from ${table.source} t where ${table.match('t', 'p')}) then 'changed' else 'gone' end as why
		from unnest($1::int8[], $2::int4[]) m(unit, n) join ${table.rows({ from: '$3::int8', to: '$4::int8' })} p on p.unit = m.unit and p.n = m.n
		where p.unit between $3::int8 and $4::int8`,
		[
			arrayLiteral(missing.map((row) => row.unit)),
			arrayLiteral(missing.map((row) => row.n)),
			Math.min(...missing.map((row) => row.unit)),
			Math.max(...missing.map((row) => row.unit)),
		],
	)
	const drifted: DriftedRow[] = []
	const suppressed: PlannedRow[] = []
	for (const { unit, n, why } of rows) {
		if (why === 'suppressed') suppressed.push({ table: 0, unit: Number(unit), n })
		else drifted.push({ table: 0, unit: Number(unit), n, why })
	}
	return { drifted, suppressed }
}
