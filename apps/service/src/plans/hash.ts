import { createHash } from 'node:crypto'
import type { Plan, Policy } from '@reprieve/contracts'
import type { PlanBody, PlannedTable } from '@reprieve/control'
import type { Transaction } from '@reprieve/postgres'
import { canonicalJson } from '../audit/chain.ts'

/** Units, and rows of each, that are digested together: no string gets longer than PostgreSQL can hold. */
const [unitsAtOnce, rowsAtOnce] = [10_000, 100]

/** The same of packed rows, each stored one of which gives 32 bytes. */
const packedAtOnce = 1_000_000

export type RowsDigest = { rows: number; hash: string }

type Digested = Pick<PlannedTable, 'rowsTable' | 'rows' | 'packed'>

/** Parts of a large table that are digested side by side, by parallel workers where there are any. */
const parts = 4

/** What the digests of a table's slices are made of: `part`, `slice`, `rows` and `digest`. */
type Slices = string

/** Number of rows and digest over every column of the per-plan tables, in order, computed by PostgreSQL. */
export async function digestRows(sql: Transaction, tables: Digested[]): Promise<RowsDigest> {
	// Few bytes go on from a worker for what it hashes: the defaults stand for whole rows.
	await sql.unsafe('set local parallel_setup_cost = 100')
	await sql.unsafe('set local parallel_tuple_cost = 0.01')
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

/**
 * Of packed rows each stored row has a digest, which parallel workers make: `offset 0` leaves that below the sort, where the
 * rows are read.
 */
function slicesOfPacked({ rowsTable }: Digested): Slices {
	return `select first / ${packedAtOnce} as part, 0 as slice, sum(rows) as rows,
			sha256(string_agg(digest, ''::bytea order by first)) as digest
		from (select first, cardinality(version) as rows, sha256(record_send(r)) as digest
			from reprieve.${rowsTable} r offset 0) digested
		group by 1`
}

async function slicesOfUnits(sql: Transaction, { rowsTable, rows }: Digested): Promise<Slices> {
	const conditions = rows < parts * unitsAtOnce ? ['true'] : await readParts(sql, rowsTable)
	return conditions.map((within) => sliceUnits(rowsTable, within)).join(' union all ')
}

/** Conditions of which each row meets one; where they part, slices do, so that they change no digest. */
async function readParts(sql: Transaction, rowsTable: string): Promise<string[]> {
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
