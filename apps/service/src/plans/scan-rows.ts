import { quoteTable } from '@reprieve/contracts'
import type { PlannedTable } from '@reprieve/control'

const types = { n: 'int', leaf: 'oid', wleaf: 'oid' } as const

/**
 * A plan's rows as an item of FROM that needs an alias: unit, n, leaf, k1..kn, version and, with a keeper, wleaf, w1..wn,
 * whichever of them the rows table holds.
 */
export function scanRows({ rowsTable, same = {} }: Pick<PlannedTable, 'rowsTable' | 'same'>): string {
	const table = quoteTable({ schema: 'reprieve', name: rowsTable })
	const columns = (['n', 'leaf', 'wleaf'] as const).flatMap((name) =>
		same[name] === undefined ? [] : [`${Number(same[name])}::${types[name]} as ${name}`],
	)
	return columns.length === 0 ? table : `(select stored.*, ${columns.join(', ')} from ${table} stored)`
}
