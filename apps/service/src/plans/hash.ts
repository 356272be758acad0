import { createHash } from 'node:crypto'
import type { Plan, Policy } from '@reprieve/contracts'
import type { PlanBody, PlannedTable } from '@reprieve/control'
import type { Session } from '@reprieve/postgres'
import { canonicalJson } from '../audit/chain.ts'
import { scanRows } from './scan-rows.ts'

/** Units, and rows of each, that are digested together: no string gets longer than PostgreSQL can hold. */
const [unitsAtOnce, rowsAtOnce] = [10_000, 100]

export type RowsDigest = { rows: number; hash: string }

/** Parts of a large table that are digested side by side, by parallel workers where there are any. */
const parts = 4

/** Number of rows and digest over every column of the per-plan tables, in order, computed by PostgreSQL. */
export async function digestRows(
	sql: Session,
	tables: Pick<PlannedTable, 'rowsTable' | 'rows' | 'same'>[],
): Promise<RowsDigest> {
	const digest = createHash('sha256')
	let rows = 0
	for (const table of tables) {
		const { rowsTable, rows: planned } = table
		const conditions = planned < parts * unitsAtOnce ? ['true'] : await readParts(sql, rowsTable)
		const slices = conditions.map((within) => slicesOf(scanRows(table), within))
		const [row] = await sql.unsafe<{ rows: string; hash: string | null }[]>(`
			select coalesce(sum(rows), 0)::text as rows, encode(sha256(string_agg(digest, ''::bytea order by part, slice)), 'hex') as hash
			from (${slices.join(' union all ')}) slices`)
		digest.update(`${rowsTable}:${row?.rows}:${row?.hash ?? ''}\n`)
		rows += Number(row?.rows)
	}
	return { rows, hash: digest.digest('hex') }
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

function slicesOf(rows: string, within: string): string {
	return `select unit / ${unitsAtOnce} as part, n / ${rowsAtOnce} as slice, count(*) as rows,
			sha256(convert_to(string_agg(r::text, E'\\n' order by unit, n), 'UTF8')) as digest
		from ${rows} r where ${within} group by 1, 2`
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
