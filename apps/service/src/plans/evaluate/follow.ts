import type { IncomingForeignKey } from '@reprieve/postgres'
import { keyOf, numbered } from '../source.ts'
import { isStaged, joinReferencing } from './reference.ts'
import { highestId, refuseTooMany, type StagedTable, type Workspace } from './workspace.ts'

/** Stages that hold rows: of the hundreds of tables that a closure names, most are reached by none. */
export type Filled = ReadonlySet<string>

/**
 * Plans the rows that each planned row's deletion deletes too, to the end; answers which stages hold rows. Throws
 * LIMIT_EXCEEDED beyond `limit` rows.
 */
export async function followForcing(work: Workspace, limit: number): Promise<Filled> {
	const forcing = work.keys.filter(work.forces)
	let grown: Filled = new Set(work.staged.slice(0, 1).map(({ stage }) => stage))
	let filled = grown
	for (let from = 0, to = await highestId(work.sql); to > from; ) {
		for (const stage of grown) await work.sql.unsafe(`analyze ${stage}`)
		const next = new Set<string>()
		for (const key of forcing) {
			const { parent, child } = endsOf(work, key)
			if (!parent || !child || !grown.has(parent.stage)) continue
			if ((await insertChildren(work, key, { parent, child, from, to })) > 0) next.add(child.stage)
		}
		from = to
		to = await highestId(work.sql)
		if (forcing.length > 0) await refuseAbove(work, limit)
		grown = next
		filled = filled.union(next)
	}
	return filled
}

async function insertChildren(
	work: Workspace,
	key: IncomingForeignKey,
	at: { parent: StagedTable; child: StagedTable; from: number; to: number },
): Promise<number> {
	const { parent, child } = at
	const { from, where } = joinReferencing(key, parent)
	const columns = keyOf({ key: child.key.map(({ column }) => column) }, 'c')
	const added = await work.sql.unsafe(`
		insert into ${child.stage} (id, leaf, ${numbered(columns.length, 'k').join(', ')}, version)
		select nextval('pg_temp.plan_ids'), c.tableoid, ${columns.join(', ')}, c.xmin from ${from}
		where ${where} and s.id > ${at.from} and s.id <= ${at.to}
			and not exists (select from ${child.stage} sc where ${isStaged(child)})
		on conflict do nothing`)
	return added.count
}

async function refuseAbove(work: Workspace, limit: number): Promise<void> {
	const counts = work.staged.map(({ stage }) => `(select count(*) from ${stage})`)
	const [row] = await work.sql.unsafe<{ rows: string }[]>(`select (${counts.join(' + ')})::text as rows`)
	const root = work.staged[0]
	if (root) refuseTooMany(root.table, Number(row?.rows), limit, 'reaches with its dependents')
}

/** Records which planned row references which, by every foreign key between staged tables. */
export async function recordEdges(work: Workspace, filled: Filled): Promise<void> {
	for (const key of work.keys) {
		const { parent, child } = endsOf(work, key)
		if (!parent || !child || !filled.has(parent.stage) || !filled.has(child.stage)) continue
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
