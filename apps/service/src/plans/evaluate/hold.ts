import { formatTableName, type Policy, ReprieveError } from '@reprieve/contracts'
import type { IncomingForeignKey } from '@reprieve/postgres'
import { endsOf, type Filled, followForcing, isUnplanned, recordEdges } from './follow.ts'
import { joinReferencing, joinRewritten } from './reference.ts'
import type { Workspace } from './workspace.ts'

/** A row that is left behind keeps its parents: up to the policy's own rows, again and again. */
const spreadUp = `
	do $$
	begin
		loop
			insert into pg_temp.plan_held
			select distinct e.parent from pg_temp.plan_edges e join pg_temp.plan_held h on h.id = e.child
			where (e.forcing or e.holding) and not exists (select from pg_temp.plan_held x where x.id = e.parent)
			on conflict do nothing;
			exit when not found;
		end loop;
	end $$`

/**
 * Follows the matched rows' dependents, and leaves out those whose closure some unplanned row holds, with all that only
 * they would have taken along; repeated until nothing is held. Answers how many matched rows were left out, and
 * which stages hold rows. Throws CONFLICT when the policy refuses held rows, LIMIT_EXCEEDED beyond `limit` rows.
 */
export async function settleClosure(
	work: Workspace,
	policy: Pick<Policy, 'onRestrict'>,
	limits: { matched: number; rows: number },
): Promise<{ blocked: number; filled: Filled }> {
	for (let blocked = 0; ; ) {
		const filled = await followForcing(work, { matched: limits.matched - blocked, rows: limits.rows })
		await recordEdges(work, filled)
		const keys = work.keys.filter((key) => filled.has(endsOf(work, key).parent?.stage ?? ''))
		const how = { filled, refuses: policy.onRestrict === 'refuse' }
		for (const key of keys.filter(work.holds)) await recordHeld(work, key, how)
		for (const key of keys.filter(work.relinks)) await recordLostDefaults(work, key, how)
		await recordPlannedKeepers(work)
		await work.sql.unsafe(spreadUp)
		const left = await leaveOut(work, filled, limits.matched)
		if (left === 0) return { blocked, filled }
		blocked += left
	}
}

type How = { filled: Filled; refuses: boolean }

async function recordHeld(work: Workspace, key: IncomingForeignKey, { filled, refuses }: How): Promise<void> {
	const { parent } = endsOf(work, key)
	if (!parent) return
	const { from, where } = joinReferencing(key, parent)
	await insertHeld(work, key, { text: `${from} where ${where} ${isUnplanned(work, key, filled)}`, refuses })
}

/** A row whose reference would be set to a default that goes too, or that was never there, keeps its parent. */
async function recordLostDefaults(work: Workspace, key: IncomingForeignKey, { filled, refuses }: How): Promise<void> {
	const { parent } = endsOf(work, key)
	if (!parent || key.onDelete !== 'setDefault') return
	const { from, where } = joinReferencing(key, parent)
	const { present, unplanned: kept } = joinRewritten(key, parent)
	const text = `${from} where ${where} ${isUnplanned(work, key, filled)} and ${present} and not exists (${kept})`
	await insertHeld(work, key, { text, refuses })
}

async function insertHeld(
	work: Workspace,
	key: IncomingForeignKey,
	held: { text: string; refuses: boolean },
): Promise<void> {
	const added = await work.sql.unsafe(`
		insert into pg_temp.plan_held select distinct s.id from ${held.text} on conflict do nothing`)
	if (added.count > 0 && held.refuses) throw await heldConflict(work, key, added.count)
}

async function heldConflict(work: Workspace, key: IncomingForeignKey, rows: number): Promise<ReprieveError> {
	const parent = work.stageOf(key.parent.rootOid)
	const columns = parent?.key.map(({ column }, index) => `'${column.replaceAll("'", "''")}', s.k${index + 1}`) ?? []
	const [example] = await work.sql.unsafe<{ key: string }[]>(`
		select json_build_object(${columns.join(', ')})::text as key from ${parent?.stage} s
		where s.id in (select id from pg_temp.plan_held) order by s.id limit 1`)
	return new ReprieveError(
		'CONFLICT',
		`${rows} planned rows of ${formatTableName(key.parent)} are held by ${formatTableName(key.child)} (${key.name}), ${example?.key} for one`,
		{ hint: 'Let onRestrict be skip to leave them out, or include to plan the rows that hold them too.' },
	)
}

/** A duplicate whose keeper would itself be deleted stays. */
async function recordPlannedKeepers(work: Workspace): Promise<void> {
	const root = work.staged[0]
	if (!root?.hasKeeper) return
	const pairs = root.key.map(({ byRecord }, index) => {
		const [left, right] = [`s.k${index + 1}`, `v.w${index + 1}`]
		return byRecord ? `row(${left})::record = row(${right})::record` : `${left} = ${right}`
	})
	await work.sql.unsafe(`
		insert into pg_temp.plan_held
		select v.id from ${root.stage} v join ${root.stage} s on s.leaf = v.wleaf and ${pairs.join(' and ')}
		on conflict do nothing`)
}

/** Removes held matched rows and, when there were any, all dependents, which are then followed anew. */
async function leaveOut(work: Workspace, filled: Filled, matched: number): Promise<number> {
	const root = work.staged[0]
	const removed = await work.sql.unsafe(
		`delete from ${root?.stage} s where s.id <= ${matched} and s.id in (select id from pg_temp.plan_held)`,
	)
	if (removed.count === 0) return 0
	for (const stage of filled) await work.sql.unsafe(`delete from ${stage} where id > ${matched}`)
	await work.sql.unsafe('truncate pg_temp.plan_edges, pg_temp.plan_held')
	return removed.count
}
