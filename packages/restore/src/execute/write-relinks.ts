import type { Transaction } from '@reprieve/postgres'
import type { Unique } from '../catalog/uniques.ts'
import { relinkStates, rewrittenIs } from '../preview/classify.ts'
import { keyUnique, sameKey } from '../preview/key.ts'
import { ownRows } from '../stage/columns.ts'
import type { Stage } from '../stage/open.ts'
import { rankRelinks, undoRelinks } from './relinks.ts'

/**
 * Gives rewritten foreign keys their old values back, newest rewrite of a row first, where the row still exists and
 * still has the rewritten values. Fates become `relinked`, `linked` (it had the old values), `changed` or `gone`.
 */
export async function writeRelinks(tx: Transaction, stage: Stage, uniques: Unique[]): Promise<void> {
	const key = keyUnique(stage.live, uniques)
	const ranks = await rankRelinks(tx, stage, { from: relinkStates, to: 'pending' })
	for (let rank = 1; rank <= ranks; rank++) await writeRank(tx, stage, key, rank)
}

async function writeRank(tx: Transaction, stage: Stage, key: Unique, rank: number): Promise<void> {
	const { book } = stage
	const join = sameKey(stage.live, key, 's', 't')
	await tx.unsafe(`select from ${stage.sql} s join ${ownRows(stage.live)} t on ${join} for update of t`)
	await tx.unsafe(
		`update ${stage.fate} f set note = null, state = w.state, version = w.version
		from (select s.${book.n} as n, t.xmin::text as version, case when t.tableoid is null then 'gone'
				when ${rewrittenIs(stage, 'old')} then 'linked' when ${rewrittenIs(stage, 'new')} then 'relinking' else 'changed' end as state
			from ${stage.sql} s left join ${ownRows(stage.live)} t on ${join}) w
		where w.n = f.n and f.state = 'pending' and f.note = $1`,
		[String(rank)],
	)
	for (const version of stage.maps.keys()) await updateLinks(tx, stage, { join, version })
	await tx.unsafe(`update ${stage.fate} f set version = t.xmin::text,
			state = case when ${rewrittenIs(stage, 'old')} then 'relinked' else 'altered' end
		from ${stage.sql} s join ${ownRows(stage.live)} t on ${join} where s.${book.n} = f.n and f.state = 'relinking'`)
}

/**
 * One statement over all rewritten columns: half of a composite key would point nowhere. What a trigger rewrote along
 * with the key, and somebody wrote again since, stays.
 */
async function updateLinks(tx: Transaction, stage: Stage, at: { join: string; version: number }): Promise<void> {
	const { book } = stage
	const undone = await undoRelinks(tx, stage, { version: at.version, row: 't' })
	const set = undone.flatMap((column) => (column.to.identity === 'a' ? [] : [column.set]))
	if (set.length === 0) return
	await tx.unsafe(`update ${ownRows(stage.live)} t set ${set.join(', ')}
		from ${stage.sql} s join ${stage.fate} f on f.n = s.${book.n} and f.state = 'relinking'
		where ${at.join} and s.${book.v} = ${at.version}`)
}
