import { quoteTable } from '@reprieve/contracts'
import type { PlannedTable } from '@reprieve/control'

/** SQL of the first and the last unit that are asked for. */
export type Units = { from: string; to: string }

/**
 * A plan's rows as an item of FROM that needs an alias: unit, n, leaf, k1..kn, version and, with a keeper, wleaf, w1..wn. Of
 * packed rows those of `units` are read, and some beside them; who asks names them in a condition too.
 */
export function scanRows({ rowsTable, packed }: Pick<PlannedTable, 'rowsTable' | 'packed'>, units?: Units): string {
	const table = quoteTable({ schema: 'reprieve', name: rowsTable })
	if (!packed) return table
	const { columns } = packed
	const leaf =
		packed.leaf === undefined ? '' : `${Number(packed.leaf)}::oid as leaf, ${Number(packed.leaf)}::oid as wleaf,`
	const within = units ? `where s.first between ${units.from} - ${packed.rows - 1} and ${units.to}` : ''
	return `(select s.first + r.place - 1 as unit, 1 as n, ${leaf} ${columns.map((name) => `r.${name}`).join(', ')}
		from ${table} s cross join lateral unnest(${columns.map((name) => `s.${name}`).join(', ')})
			with ordinality r(${columns.join(', ')}, place) ${within})`
}

/** Whether values of a type are packed as text: an array's elements cannot be arrays of their own dimensions. */
export function isPackedAsText(type: string): boolean {
	return /\[\]$|^(int2|oid)vector$/.test(type)
}
