import type { IncomingForeignKey } from '@reprieve/postgres'
import { keyOf, numbered } from '../source.ts'
import { isStaged, joinReferencing } from './reference.ts'
import { highestId, refuseTooMany, type StagedTable, type Workspace } from './workspace.ts'

/** Plans the rows that each planned row's deletion deletes too, to the end. Throws LIMIT_EXCEEDED beyond `limit` rows. */
export async function followForcing(work: Workspace, limit: number): Promise<void> {
	const forcing = work.keys.filter(work.forces)
	for (let from = 0, to = await highestId(work.sql); to > from; ) {
		for (const key of forcing) await insertChildren(work, key, { from, to })
		from = to
		to = await highestId(work.sql)
		if (forcing.length > 0) await refuseAbove(work, limit)
		for (const { stage } of work.staged) await work.sql.unsafe(`analyze ${stage}`)
	}
}

async function insertChildren(
	work: Workspace,
	key: IncomingForeignKey,
	ids: { from: number; to: number },
): Promise<void> {
	const { parent, child } = endsOf(work, key)
	if (!parent || !child) return
	const { from, where } = joinReferencing(key, parent)
	const columns = keyOf({ key: child.key.map(({ column }) => column) }, 'c')
	await work.sql.unsafe(`
		insert into ${child.stage} (id, leaf, ${numbered(columns.length, 'k').join(', ')}, version)
		select nextval('pg_temp.plan_ids'), c.tableoid, ${columns.join(', ')}, c.xmin from ${from}
		where ${where} and s.id > ${ids.from} and s.id <= ${ids.to}
			and not exists (select from ${child.stage} sc where ${isStaged(child)})
		on conflict do nothing`)
}

async function refuseAbove(work: Workspace, limit: number): Promise<void> {
	const counts = work.staged.map(({ stage }) => `(select count(*) from ${stage})`)
	const [row] = await work.sql.unsafe<{ rows: string }[]>(`select (${counts.join(' + ')})::text as rows`)
	const root = work.staged[0]
	if (root) refuseTooMany(root.table, Number(row?.rows), limit, 'reaches with its dependents')
}

/** Records which planned row references which, by every foreign key between staged tables. */
export async function recordEdges(work: Workspace): Promise<void> {
	for (const key of work.keys) {
		const { parent, child } = endsOf(work, key)
		if (!parent || !child) continue
		const { from, where } = joinReferencing(key, parent)
		await work.sql.unsafe(`
			insert into pg_temp.plan_edges (child, parent, forcing, holding)
			select sc.id, s.id, ${work.forces(key)}, ${work.holds(key)}
			from ${from} join ${child.stage} sc on ${isStaged(child)} where ${where} and sc.id <> s.id`)
	}
	await work.sql.unsafe('analyze pg_temp.plan_edges')
}

/** The staged tables at both ends of a key, where there are such. */
export function endsOf(
	work: Workspace,
	key: IncomingForeignKey,
): { parent: StagedTable | undefined; child: StagedTable | undefined } {
	return { parent: work.stageOf(key.parent.rootOid), child: work.stageOf(key.child.rootOid) }
}
