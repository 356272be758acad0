import { createHash } from 'node:crypto'
import type { Plan, Policy } from '@reprieve/contracts'
import type { PlanBody, PlannedTable } from '@reprieve/control'
import type { Session } from '@reprieve/postgres'
import { canonicalJson } from '../audit/chain.ts'

/** Units, and rows of each, that are digested together: no string gets longer than PostgreSQL can hold. */
const [unitsAtOnce, rowsAtOnce] = [10_000, 100]

export type RowsDigest = { rows: number; hash: string }

/** Number of rows and digest over every column of the per-plan tables, in order, computed by PostgreSQL. */
export async function digestRows(sql: Session, tables: Pick<PlannedTable, 'rowsTable'>[]): Promise<RowsDigest> {
	const digest = createHash('sha256')
	let rows = 0
	for (const { rowsTable } of tables) {
		const [row] = await sql.unsafe<{ rows: string; hash: string | null }[]>(`
			select coalesce(sum(rows), 0)::text as rows, encode(sha256(string_agg(digest, ''::bytea order by part, slice)), 'hex') as hash
			from (select unit / ${unitsAtOnce} as part, n / ${rowsAtOnce} as slice, count(*) as rows,
					sha256(convert_to(string_agg(r::text, E'\\n' order by unit, n), 'UTF8')) as digest
				from reprieve.${rowsTable} r group by 1, 2) parts`)
		digest.update(`${rowsTable}:${row?.rows}:${row?.hash ?? ''}\n`)
		rows += Number(row?.rows)
	}
	return { rows, hash: digest.digest('hex') }
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
