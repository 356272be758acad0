import { createHash } from 'node:crypto'
import type { Plan, Policy } from '@reprieve/contracts'
import type { PlanBody, PlannedTable } from '@reprieve/control'
import type { Session } from '@reprieve/postgres'
import { canonicalJson } from '../audit/chain.ts'

/** Units, and rows of each, that are digested together: no string gets longer than PostgreSQL can hold. */
const [unitsAtOnce, rowsAtOnce] = [10_000, 100]

export type RowsDigest = { rows: number; hash: string }

type Digested = Pick<PlannedTable, 'rowsTable' | 'rows' | 'packed'>

/** Parts of a large table that are digested side by side, by parallel workers where there are any. */
const parts = 4

/** What the digests of a table's slices are made of: `part`, `slice`, `rows` and `digest`. */
type Slices = string

/** Number of rows and digest over every column of the per-plan tables, in order, computed by PostgreSQL. */
export async function digestRows(sql: Session, tables: Digested[]): Promise<RowsDigest> {
	const digest = createHash('sha256')
	let rows = 0
	for (const table of tables) {
		const { rowsTable } = table
		const slices = table.packed ? slicesOfPacked(table) : await slicesOfUnits(sql, table)
		const [row] = await sql.unsafe<{ rows: string; hash: string | null }[]>(`
			select coalesce(sum(rows), 0)::text as rows, encode(sha256(string_agg(digest, ''::bytea order by part, slice)), 'hex') as hash
			from (${slices}) slices`)
		digest.update(`${rowsTable}:${row?.rows}:${row?.hash ?? ''}\n`)
		rows += Number(row?.rows)
	}
	return { rows, hash: digest.digest('hex') }
}

/** Of packed rows the index has the order already. The first and the last slice take whatever lies outside. */
function slicesOfPacked({ rowsTable, rows }: Digested): Slices {
	const last = Math.floor(rows / unitsAtOnce)
	const from = `case part when 0 then -9223372036854775808 else part * ${unitsAtOnce}::int8 end`
	const to = `case part when ${last} then 9223372036854775807 else (part + 1) * ${unitsAtOnce}::int8 - 1 end`
	return `select part, 0 as slice, rows, digest from generate_series(0, ${last}) part, lateral (
			select sum(cardinality(version)) as rows, sha256(string_agg(record_send(r), ''::bytea)) as digest
			from (select * from reprieve.${rowsTable} where first between ${from} and ${to} order by first) r) sliced`
}

async function slicesOfUnits(sql: Session, { rowsTable, rows }: Digested): Promise<Slices> {
	const conditions = rows < parts * unitsAtOnce ? ['true'] : await readParts(sql, rowsTable)
	return conditions.map((within) => sliceUnits(rowsTable, within)).join(' union all ')
}

/** Conditions of which each row meets one; where they part, slices do, so that they change no digest. */
async function readParts(sql: Session, rowsTable: string): Promise<string[]> {
	const [last] = await sql.unsafe<{ unit: string | null }[]>(
		`select max(unit)::text as unit from reprieve.${rowsTable}`,
	)
	const width = Math.ceil(Number(last?.unit) / parts / unitsAtOnce) * unitsAtOnce
	const between = (part: number) => `unit >= ${part * width} and unit < ${(part + 1) * width}`
	const inner = Array.from({ length: parts - 2 }, (_, at) => between(at + 1))
	return [`unit < ${width}`, ...inner, `unit >= ${(parts - 1) * width}`]
}

function sliceUnits(rowsTable: string, within: string): string {
	return `select unit / ${unitsAtOnce} as part, n / ${rowsAtOnce} as slice, count(*) as rows,
			sha256(convert_to(string_agg(r::text, E'\\n' order by unit, n), 'UTF8')) as digest
		from reprieve.${rowsTable} r where ${within} group by 1, 2`
}

/** What a principal consents to: which rows of which tables, why, and what goes with them. */
export type Consented = {
	policy: Policy
	undoes: string | null
	lineage: string
	rowsHash: string | null
	rows: number
	blocked: number
	dependents: Plan['dependents']
	body: PlanBody | null
}

/** Digest over what a principal consents to; the same for a plan that is made and for its row. */
export function hashPlan(plan: Consented): string {
	const { policy, undoes, lineage, rowsHash, rows, blocked, dependents, body } = plan
	const content = { policy, undoes, lineage, rowsHash, rows, blocked, dependents, body }
	return createHash('sha256').update(canonicalJson(content)).digest('hex')
}
