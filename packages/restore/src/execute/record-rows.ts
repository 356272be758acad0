import type { Transaction } from '@reprieve/postgres'
import { keyObject } from '../stage/columns.ts'
import { joinFate } from '../stage/fates.ts'
import { changeOf, type Stage } from '../stage/open.ts'
import { writtenStates } from './write-rows.ts'

/** What became of one table's rows in one batch. */
export type BatchCounts = {
	restored: number
	identical: number
	skipped: number
	/** Rows that are not as they were: skipped, altered, failed, or relinks that could not be undone. */
	conflicts: number
	relinked: number
	verified: number
}

/** State and message of the report, from a fate. */
const outcome = `case f.state
	when 'missing' then 'restored' when 'different' then 'overwritten' when 'same' then 'identical' when 'linked' then 'identical'
	when 'relinked' then 'relinked' when 'altered' then 'altered' when 'lost' then 'failed' else 'skipped' end`
const message = `case f.state
	when 'altered' then 'written, but the row read back is not as archived (a trigger or rule changed it)'
	when 'lost' then 'not there when read back (a trigger or rule kept it out or removed it)'
	when 'gone' then 'the row whose foreign key was rewritten does not exist any more'
	when 'changed' then 'the foreign key does not have the rewritten value any more'
	when 'taken' then coalesce(f.note, 'another row took its place') else f.note end`

/** Writes the report's rows of a batch and counts them. */
export async function recordRows(
	tx: Transaction,
	stage: Stage,
	restoreId: string,
): Promise<Omit<BatchCounts, 'verified'>> {
	await tx.unsafe(
		`insert into reprieve.restored_rows (restore_id, n, "table", key, change_id, state, message, version)
		select $1, f.n, $2, ${keyObject(stage.live, 's')}, ${changeOf(stage, 's')}, ${outcome}, ${message},
			case when f.state in ${writtenStates} then pg_current_xact_id()::xid::text
				when f.state in ('altered', 'relinked') then f.version end
		from ${stage.sql} s ${joinFate(stage)}`,
		[restoreId, stage.archivedName],
	)
	if (stage.areMissing) return { restored: stage.rows, identical: 0, skipped: 0, conflicts: 0, relinked: 0 }
	const rows = await tx.unsafe<{ state: string; relink: boolean; rows: number }[]>(
		`select ${outcome} as state, s.${stage.book.op} = 1 as relink, count(*)::int4 as rows
		from ${stage.sql} s ${joinFate(stage)} group by 1, 2`,
	)
	const count = (...states: string[]) => rows.reduce((sum, row) => sum + (states.includes(row.state) ? row.rows : 0), 0)
	return {
		restored: count('restored', 'overwritten', 'altered'),
		identical: count('identical'),
		skipped: count('skipped'),
		conflicts: count('skipped', 'altered', 'failed'),
		relinked: count('relinked'),
	}
}
