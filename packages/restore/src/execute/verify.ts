import type { Transaction } from '@reprieve/postgres'
import type { Unique } from '../catalog/uniques.ts'
import { sameRow } from '../preview/classify.ts'
import { keyUnique, sameKey } from '../preview/key.ts'
import { ownRows } from '../stage/columns.ts'
import { joinFate, writeFates } from '../stage/fates.ts'
import type { Stage } from '../stage/open.ts'
import { writtenHere, writtenStates } from './write-rows.ts'

/**
 * Reads back what was written and compares images: a written row that is not as archived becomes `altered`, one that is
 * not there `lost`, one in whose place is another's `taken`. Answers how many are as archived.
 */
export async function verifyRows(tx: Transaction, stage: Stage, uniques: Unique[]): Promise<number> {
	const key = keyUnique(stage.live, uniques)
	const { written, verified } = await countWritten(tx, stage, key)
	if (written === verified) return verified
	await writeFates(tx, stage)
	await tx.unsafe(`update ${stage.fate} f set state = w.state, version = w.version
		from (select s.${stage.book.n} as n, t.xmin::text as version, case when t.tableoid is null then 'lost'
				when not ${writtenHere} then 'taken' when ${sameRow(stage)} then null else 'altered' end as state
			from ${stage.sql} s join ${stage.fate} g on g.n = s.${stage.book.n} and g.state in ${writtenStates}
			left join ${ownRows(stage.live)} t on ${sameKey(stage.live, key, 's', 't')}) w
		where w.n = f.n and w.state is not null`)
	const [row] = await tx.unsafe<{ rows: number }[]>(
		`select count(*)::int4 as rows from ${stage.fate} where state in ${writtenStates}`,
	)
	return row?.rows ?? 0
}

/** Rows that were written, and how many of them are there as they were archived. */
async function countWritten(
	tx: Transaction,
	stage: Stage,
	key: Unique,
): Promise<{ written: number; verified: number }> {
	const [row] = await tx.unsafe<{ written: number; verified: number }[]>(
		`select (select count(*) from ${stage.bookTable} s ${joinFate(stage)} where f.state in ${writtenStates})::int4 as written,
			(select count(*) from ${stage.sql} s ${joinFate(stage)} join ${ownRows(stage.live)} t on ${sameKey(stage.live, key, 's', 't')}
				where f.state in ${writtenStates} and ${writtenHere} and ${sameRow(stage)})::int4 as verified`,
	)
	return row ?? { written: stage.rows, verified: 0 }
}
