import type { Transaction } from '@reprieve/postgres'
import type { Unique } from '../catalog/uniques.ts'
import { keyUnique, sameKey } from '../preview/key.ts'
import type { Stage } from '../stage/open.ts'
import { rankRelinks, undoRelinks } from './relinks.ts'

/**
 * Undoes the relinks of a stage in its own missing rows, newest first, before these are written: a value stays that is not
 * the rewritten one. The relinks' fates become `linked`.
 */
export async function foldRelinks(tx: Transaction, stage: Stage, uniques: Unique[]): Promise<void> {
	const ranks = await rankRelinks(tx, stage, { from: ['relinkable'], to: 'relinkable' })
	for (let rank = 1; rank <= ranks; rank++) {
		for (const version of stage.maps.keys()) await foldRank(tx, stage, { uniques, rank, version })
	}
	await tx.unsafe(`update ${stage.fate} set state = 'linked', note = null where state = 'relinkable'`)
}

async function foldRank(
	tx: Transaction,
	stage: Stage,
	at: { uniques: Unique[]; rank: number; version: number },
): Promise<void> {
	const { book, live } = stage
	const set = (await undoRelinks(tx, stage, { version: at.version, row: 'd' })).map((column) => column.set)
	if (set.length === 0) return
	const folded = `${stage.sql} s join ${stage.fate} f on f.n = s.${book.n} and f.state = 'relinkable' and f.note = $1`
	const which = `s.${book.v} = ${at.version} and g.state = 'missing' and ${sameKey(live, keyUnique(live, at.uniques), 's', 'd')}`
	const { apart, bookTable } = stage
	await tx.unsafe(
		apart
			? `with moved as (update ${apart.table} d set ${set.join(', ')} from ${folded}, ${bookTable} b, ${stage.fate} g
					where d.ctid = b.${apart.place} and g.n = b.${book.n} and ${which} returning b.${book.n} as n, d.ctid as place)
				update ${bookTable} b set ${apart.place} = moved.place from moved where moved.n = b.${book.n}`
			: `update ${bookTable} d set ${set.join(', ')} from ${folded}, ${stage.fate} g
				where g.n = d.${book.n} and ${which}`,
		[String(at.rank)],
	)
}
