import type { IncomingForeignKey } from '@reprieve/postgres'
import { keyOf, numbered } from '../source.ts'
import { isStaged, joinReferencing } from './reference.ts'
import { createStages, highestId, refuseTooMany, type StagedTable, type Workspace } from './workspace.ts'

/** Stages that hold rows: of the hundreds of tables that a closure names, most are reached by none, and have no stage. */
export type Filled = ReadonlySet<string>

type Limits = { matched: number; rows: number }

/**
 * Plans the rows that each of the matched rows' deletion deletes too, to the end; answers which stages hold rows. Throws
 * LIMIT_EXCEEDED beyond `rows` of them all.
 */
export async function followForcing(work: Workspace, { matched, rows }: Limits): Promise<Filled> {
	const forcing = work.keys.filter(work.forces)
	let grown: Filled = new Set(work.staged.slice(0, 1).map(({ stage }) => stage))
	let filled = grown
	let found = matched
	for (let from = 0, to = await highestId(work.sql); to > from; ) {
		if (grown.size > 0) await work.sql.unsafe(`analyze ${[...grown].join(', ')}`)
		const steps = forcing.flatMap((key) => stepOf(work, key, grown) ?? [])
		await createStages(work.sql, [...new Set(steps.map(({ child }) => child))])
		const next = new Set<string>()
		for (const step of steps) {
			const added = await insertChildren(work, step, { from, to })
			if (added > 0) next.add(step.child.stage)
			found += added
		}
		if (work.staged[0]) refuseTooMany(work.staged[0].table, found, rows, 'reaches with its dependents')
		from = to
		to = await highestId(work.sql)
		grown = next
		filled = filled.union(next)
	}
	return filled
}

type Step = { key: IncomingForeignKey; parent: StagedTable; child: StagedTable }

/** The key with its two tables, where rows were just planned that it may point at. */
function stepOf(work: Workspace, key: IncomingForeignKey, grown: Filled): Step | undefined {
	const { parent, child } = endsOf(work, key)
	return parent && child && grown.has(parent.stage) ? { key, parent, child } : undefined
}

async function insertChildren(
	work: Workspace,
	{ key, parent, child }: Step,
	at: { from: number; to: number },
): Promise<number> {
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

/** SQL of "the referencing row `c` of the key is not planned itself". */
export function isUnplanned(work: Workspace, key: IncomingForeignKey, filled: Filled): string {
	const { child } = endsOf(work, key)
	if (!child || !filled.has(child.stage)) return ''
	return `and not exists (select from ${child.stage} sc where ${isStaged(child)})`
}

/** The staged tables at both ends of a key, where there are such. */
export function endsOf(
	work: Workspace,
	key: IncomingForeignKey,
): { parent: StagedTable | undefined; child: StagedTable | undefined } {
	return { parent: work.stageOf(key.parent.rootOid), child: work.stageOf(key.child.rootOid) }
}
