import { ReprieveError, type Row } from '@reprieve/contracts'
import type { Transaction } from '@reprieve/postgres'
import { keyObject, literal } from '../stage/columns.ts'
import { joinFate, writeFates } from '../stage/fates.ts'
import { changeOf, type Stage } from '../stage/open.ts'

/**
 * Settles what happens to rows that cannot simply be inserted: under `stop` none may be different or taken, under
 * `skip` they are left as they are, under `overwrite` a row changed since its preview is left as it is. A change that an
 * earlier restore brought back is not brought back again. Throws CONFLICT.
 */
export async function decide(tx: Transaction, stage: Stage, restoreId: string, conflict: string): Promise<void> {
	await leaveRestored(tx, stage, restoreId)
	if (stage.areMissing) return
	if (conflict === 'stop') await refuseFirst(tx, stage, "f.state in ('different', 'taken')")
	if (conflict === 'skip') {
		await settle(tx, stage, "f.state = 'different'", 'skipped', "'a row of this key lives and differs'")
		await settle(tx, stage, "f.state = 'taken'", 'skipped', "format('another row holds its value in %s', f.note)")
	}
	if (conflict === 'overwrite') {
		const changed = `f.state = 'different' and f.version is distinct from s.${stage.book.seen}`
		await settle(tx, stage, changed, 'skipped', "'the live row changed since the preview'")
		await refuseFirst(tx, stage, "f.state = 'taken'")
	}
}

/** Restoring the same change twice restores it once, unless that restore was undone (exactness.md 9.8). */
async function leaveRestored(tx: Transaction, stage: Stage, restoreId: string): Promise<void> {
	const { bookTable, book, archivedName } = stage
	const own = `select min(s.${book.position}) as first, max(s.${book.position}) as final from ${bookTable} s`
	if (!(await mayBeBroughtBack(tx, { table: archivedName, own }, restoreId))) return
	const found = await tx.unsafe(
		`create temp table brought on commit drop as
		select distinct on (b.n) b.n, b.restore_id from (${broughtBack(stage, literal(restoreId))}) b`,
	)
	if (found.count > 0) await skipRestored(tx, stage)
	await tx.unsafe('drop table pg_temp.brought')
}

async function skipRestored(tx: Transaction, stage: Stage): Promise<void> {
	await writeFates(tx, stage)
	await tx.unsafe(
		`update ${stage.fate} f set state = 'skipped', note = format('restore %s brought this change back before', b.restore_id)
		from pg_temp.brought b where b.n = f.n and f.state in ('missing', 'different', 'taken')`,
	)
}

/** Whether another restore, not undone, brought back anything of a table between two positions, which a query `own` names. */
export async function mayBeBroughtBack(
	tx: Transaction,
	{ table, own }: { table: string; own: string },
	restoreId: string,
): Promise<boolean> {
	const found = await tx.unsafe(
		`select from (${own}) own
		join reprieve.restores r on r.id <> $1 and r.restored > 0 and not ${isUndone('r.id')}
		left join lateral (
			select t.name, (t.span ->> 'from')::int8 as first, (t.span ->> 'to')::int8 as final
			from jsonb_to_recordset(r.cursor -> 'tables') as t(name text, span jsonb)) t on true
		where t.name is null or (t.name = $2 and (t.first is null or (t.first <= own.final and t.final >= own.first))) limit 1`,
		[restoreId, table],
	)
	return found.length > 0
}

function isUndone(id: string): string {
	return `exists (select from reprieve.plans p join reprieve.runs u on u.plan_id = p.id where p.undoes = ${id})`
}

/** Rows of a stage, still missing, that a restore brought back before: they were deleted again since. */
export async function countBroughtBack(tx: Transaction, stage: Stage): Promise<number> {
	const [row] = await tx.unsafe<{ rows: number }[]>(
		`select count(distinct b.n)::float8 as rows from (${broughtBack(stage)}) b
		join ${stage.bookTable} s on s.${stage.book.n} = b.n ${joinFate(stage)} where f.state = 'missing'`,
	)
	return Number(row?.rows ?? 0)
}

/**
 * SQL of the restores, but for one, that brought staged changes back and were not undone: the change's number and the restore. Row by row
 * every staged row asks the report's index, however little the planner knows of a report that grew since it was last analyzed.
 */
function broughtBack(stage: Stage, except = "''"): string {
	const { book, bookTable, archivedName } = stage
	const counts = (id: string) => `${id} <> ${except} and not ${isUndone(id)}`
	const bounds = `select min(s.${book.position}) as first_position, max(s.${book.position}) as final_position,
		min(s.${book.ordinal}) as first_ordinal, max(s.${book.ordinal}) as final_ordinal from ${bookTable} s`
	return `select s.${book.n} as n, r.restore_id from ${bookTable} s cross join lateral (
			select r.restore_id from reprieve.restored_rows r where r.change_id = ${changeOf(stage, 's')}
				and r.state in ('restored', 'overwritten', 'altered') and ${counts('r.restore_id')} limit 1) r
		union all
		select s.${book.n}, c.restore_id from (
			select w.restore_id, c.* from (${bounds}) own join reprieve.restored_shares w
				on w."table" = ${literal(archivedName)} and w.version is not null
				and w.first_position <= own.final_position and w.final_position >= own.first_position
				and w.first_ordinal <= own.final_ordinal and w.final_ordinal >= own.first_ordinal
				and ${counts('w.restore_id')}
			cross join lateral unnest(w.timelines, w.positions, w.ordinals) c(timeline, position, ordinal)) c
		join ${bookTable} s on s.${book.timeline} = c.timeline and s.${book.position} = c.position and s.${book.ordinal} = c.ordinal`
}

async function settle(tx: Transaction, stage: Stage, filter: string, state: string, note: string): Promise<void> {
	await tx.unsafe(`update ${stage.fate} f set state = '${state}', note = ${note}
		from ${stage.sql} s where s.${stage.book.n} = f.n and ${filter}`)
}

async function refuseFirst(tx: Transaction, stage: Stage, filter: string): Promise<void> {
	const [row] = await tx.unsafe<{ key: Row; state: string; note: string | null }[]>(
		`select ${keyObject(stage.live, 's')} as key, f.state, f.note from ${stage.sql} s
		${joinFate(stage)} where ${filter} order by f.n limit 1`,
	)
	if (!row) return
	const why =
		row.state === 'taken' ? `another row holds its value in ${row.note}` : 'a row of this key lives and differs'
	throw new ReprieveError('CONFLICT', `${stage.archivedName} ${JSON.stringify(row.key)}: ${why}`, {
		hint:
			row.state === 'taken' ? 'Choose conflict skip, or make room for the row.' : 'Choose conflict skip or overwrite.',
	})
}
