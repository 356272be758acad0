import { quoteIdentifier } from '@reprieve/contracts'
import type { Transaction } from '@reprieve/postgres'
import type { Unique } from '../catalog/uniques.ts'
import { keyColumns, list, ownRows } from '../stage/columns.ts'
import { isWide, type Stage } from '../stage/open.ts'

/** int2, int4, int8, oid, date, timestamp, timestamptz, numeric, uuid: the key's own order is the type's one order. */
const ordered = new Set([20, 21, 23, 26, 1082, 1114, 1184, 1700, 2950])

/**
 * Whether all rows of a stage are missing, which it then says itself: each has a key of its own, and no live row's key
 * begins with a value between the smallest and the largest of theirs. False where that takes more than a look into the
 * key's index.
 */
export async function areAllMissing(tx: Transaction, stage: Stage, uniques: Unique[]): Promise<boolean> {
	stage.areMissing ||= await areAbsent(tx, stage, uniques)
	return stage.areMissing
}

async function areAbsent(tx: Transaction, stage: Stage, uniques: Unique[]): Promise<boolean> {
	const [first] = keyColumns(stage.live)
	const hasOthers = uniques.filter(({ table }) => table === stage.live.oid).length > 1
	if (!first || !ordered.has(first.typeOid) || hasOthers || stage.relinks > 0 || isWide(stage)) return false
	const name = quoteIdentifier(first.name)
	const end = (order: string) => `(select s.${name} from ${stage.sql} s order by s.${name} ${order} nulls last limit 1)`
	// In the order of the index: a test for existence drops that, and may be planned as a search through the whole table.
	const inside = `select t.${name} from ${ownRows(stage.live)} t
		where t.${name} >= ${end('asc')} and t.${name} <= ${end('desc')} order by t.${name} limit 1`
	const [row] = await tx.unsafe<{ any: boolean }[]>(`select (${inside}) is not null or ${hasTwice(stage)} as any`)
	return row?.any === false
}

/** SQL of "two rows have the same key". To count the values of one column, which mostly lie in order, takes a third of grouping by them. */
function hasTwice(stage: Stage): string {
	const keys = keyColumns(stage.live)
	const columns = list(keys, 's')
	if (keys.length === 1) return `(select count(distinct ${columns}) < count(*) from ${stage.sql} s)`
	return `exists (select from ${stage.sql} s group by ${columns} having count(*) > 1)`
}
