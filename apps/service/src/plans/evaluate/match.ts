import type { Candidates } from '../candidates/candidates.ts'
import { numbered } from '../source.ts'
import { highestId, refuseTooMany, type Workspace } from './workspace.ts'

/**
 * Fills the first stage with the rows that the policy matches, in key order, so that their ids are 1 to the number
 * answered. Throws LIMIT_EXCEEDED beyond `limit` rows.
 */
export async function matchRows(work: Workspace, candidates: Candidates, limit: number): Promise<number> {
	const root = work.staged[0]
	if (!root) return 0
	const names = storedColumns(root.key.length, root.hasKeeper)
	const order = [...numbered(root.key.length, 'k'), 'leaf'].join(', ')
	await work.sql.unsafe(
		`insert into ${root.stage} (id, ${names.join(', ')})
		select nextval('pg_temp.plan_ids'), ${names.join(', ')} from (
			select * from (${candidates.text}) matched order by ${order} limit ${limit + 1}) ordered`,
		candidates.params,
	)
	const matched = await highestId(work.sql)
	if (matched > limit) await refuseMatches(work, candidates, limit)
	return matched
}

/** Throws LIMIT_EXCEEDED with the exact number of matches. */
export async function refuseMatches(work: Workspace, candidates: Candidates, limit: number): Promise<void> {
	const [row] = await work.sql.unsafe<{ rows: string }[]>(
		`select count(*)::text as rows from (${candidates.text}) matched`,
		candidates.params,
	)
	const root = work.staged[0]
	if (root) refuseTooMany(root.table, Number(row?.rows), limit, 'matches')
}

/** The columns of a rows table behind unit and n: leaf, k1..kn, version and, with a keeper, wleaf, w1..wn. */
export function storedColumns(keyColumns: number, hasKeeper: boolean): string[] {
	const keeper = hasKeeper ? ['wleaf', ...numbered(keyColumns, 'w')] : []
	return ['leaf', ...numbered(keyColumns, 'k'), 'version', ...keeper]
}
