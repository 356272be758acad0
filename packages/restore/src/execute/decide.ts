import { ReprieveError, type Row } from '@reprieve/contracts'
import type { Transaction } from '@reprieve/postgres'
import { keyObject } from '../stage/columns.ts'
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
	if (!(await mayBeBroughtBack(tx, stage, restoreId))) return
	if (stage.areMissing && !(await isAnyBroughtBack(tx, stage, restoreId))) return
	await writeFates(tx, stage)
	await tx.unsafe(
		`update ${stage.fate} f set state = 'skipped', note = format('restore %s brought this change back before', b.restore_id)
		from ${stage.sql} s cross join lateral (${broughtBack(stage)} and r.restore_id <> $1 limit 1) b
		where s.${stage.book.n} = f.n and f.state in ('missing', 'different', 'taken')`,
		[restoreId],
	)
}

/** Whether another restore brought back anything of this table from that part of the log. */
async function mayBeBroughtBack(tx: Transaction, stage: Stage, restoreId: string): Promise<boolean> {
	const { bookTable, book } = stage
	const found = await tx.unsafe(
		`select from (select min(s.${book.position}) as first, max(s.${book.position}) as final from ${bookTable} s) own
		join reprieve.restores r on r.id <> $1 and r.restored > 0
		left join lateral (
			select t.name, (t.span ->> 'from')::int8 as first, (t.span ->> 'to')::int8 as final
			from jsonb_to_recordset(r.cursor -> 'tables') as t(name text, span jsonb)) t on true
		where t.name is null or (t.name = $2 and (t.first is null or (t.first <= own.final and t.final >= own.first))) limit 1`,
		[restoreId, stage.archivedName],
	)
	return found.length > 0
}

async function isAnyBroughtBack(tx: Transaction, stage: Stage, restoreId: string): Promise<boolean> {
	const found = await tx.unsafe(
		`select from ${stage.sql} s cross join lateral (${broughtBack(stage)} and r.restore_id <> $1 limit 1) b limit 1`,
		[restoreId],
	)
	return found.length > 0
}

/** Rows of a stage, still missing, that a restore brought back before: they were deleted again since. */
export async function countBroughtBack(tx: Transaction, stage: Stage): Promise<number> {
	const [row] = await tx.unsafe<{ rows: number }[]>(
		`select count(*)::float8 as rows from ${stage.sql} s ${joinFate(stage)}
		cross join lateral (${broughtBack(stage)} limit 1) b where f.state = 'missing'`,
	)
	return Number(row?.rows ?? 0)
}

/**
 * SQL of the restore that brought the staged change s back and was not undone. To be limited to one row: then every staged
 * row asks the index, however little the planner knows of a report that grew since it was last analyzed.
 */
function broughtBack(stage: Stage): string {
	return `select r.restore_id from reprieve.restored_rows r
		where r.change_id = ${changeOf(stage, 's')} and r.state in ('restored', 'overwritten', 'altered')
			and not exists (select from reprieve.plans p join reprieve.runs u on u.plan_id = p.id where p.undoes = r.restore_id)`
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
