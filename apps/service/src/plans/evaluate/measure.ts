import { cellFromText, quoteIdentifier, quoteTable, type Row, type SourceTable } from '@reprieve/contracts'
import type { PlannedTable } from '@reprieve/control'
import type { Transaction } from '@reprieve/postgres'
import { scanRows, type Units } from '../scan-rows.ts'
import { isSameRow, type KeyColumn } from '../source.ts'

/** Rows shown of a plan. */
const sampleRows = 10
/** Characters shown of a value: a row may have hundreds of megabytes. */
const shownCharacters = 10_000
/** Rows weighed for the estimate of a table. */
const weighedRows = 200
/** Rows that a run deletes in a second: assumed while no run of this database has succeeded. */
const assumedRowsPerSecond = 20_000
/** Runs whose rates count. */
const recentRuns = 20

export type MeasuredTable = { planned: PlannedTable; table: SourceTable; key: KeyColumn[] }

/** The first planned rows of the policy's table; long values by their beginning. */
export async function readSample(sql: Transaction, { planned, table, key }: MeasuredTable): Promise<Row[]> {
	const columns = table.columns.map(
		(column, index) => `left(t.${quoteIdentifier(column.name)}::text, ${shownCharacters}) as c${index}`,
	)
	const rows = await sql.unsafe<Record<string, string | null>[]>(`
		select ${columns.join(', ')} from (select * from ${scanRows(planned, firstUnits(sampleRows))} stored order by unit, n limit ${sampleRows}) p
		join ${quoteTable(table)} t on t.tableoid = p.leaf and ${isSameRow(key, 't', 'p')} order by p.unit, p.n`)
	return rows.map((row) =>
		Object.fromEntries(
			table.columns.map((column, index) => [column.name, cellFromText(row[`c${index}`] ?? null, column.typeOid)]),
		),
	)
}

function firstUnits(rows: number): Units {
	return { from: '1', to: String(rows) }
}

/** Seconds and bytes that the deletion takes, by the weight of some rows of each table. */
export async function estimate(sql: Transaction, tables: MeasuredTable[]): Promise<{ seconds: number; bytes: number }> {
	let bytes = 0
	let rows = 0
	for (const { planned, table, key } of tables) {
		const [weight] = await sql.unsafe<{ bytes: number }[]>(`
			select coalesce(avg(pg_column_size(t.*)), 0)::float8 as bytes
			from (select * from ${scanRows(planned, firstUnits(weighedRows))} stored order by unit, n limit ${weighedRows}) p
			join ${quoteTable(table)} t on t.tableoid = p.leaf and ${isSameRow(key, 't', 'p')}`)
		bytes += Number(weight?.bytes) * planned.rows
		rows += planned.rows
	}
	return { seconds: Math.ceil(rows / (await readRate(sql))), bytes: Math.round(bytes) }
}

/** The median rate of recent runs that succeeded, in rows a second. */
async function readRate(sql: Transaction): Promise<number> {
	const [row] = await sql<{ rate: number | null }[]>`
		select percentile_cont(0.5) within group (order by r.rows_per_second)::float8 as rate from (
			select rows_per_second from reprieve.runs where status = 'succeeded' and rows_per_second > 0
			order by finished_at desc limit ${recentRuns}) r`
	return row?.rate ?? assumedRowsPerSecond
}
