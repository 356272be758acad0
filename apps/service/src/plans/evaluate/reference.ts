import { quoteIdentifier } from '@reprieve/contracts'
import type { IncomingForeignKey } from '@reprieve/postgres'
import { isSameRow, scanOwn } from '../source.ts'
import type { StagedTable } from './workspace.ts'

/** FROM and WHERE of the planned rows `s` of a key's parent with the rows `c` that reference them. */
export type Reference = { from: string; where: string }

/** Joins planned parents to the rows at a foreign key's other end, by the very operators of the constraint. */
export function joinReferencing(key: IncomingForeignKey, parent: StagedTable): Reference {
	const columns = parent.key.map(({ column }) => column)
	const isDirect = key.parent.columns.every((column) => columns.includes(column))
	const value = (name: string) => (isDirect ? `s.k${columns.indexOf(name) + 1}` : `p.${quoteIdentifier(name)}`)
	const pairs = key.parent.columns.map(
		(name, place) => `${value(name)} ${key.operators[place]} c.${quoteIdentifier(key.child.columns[place] as string)}`,
	)
	const join = isDirect
		? ''
		: `join ${scanOwn(key.parent, 'p')} on p.tableoid = s.leaf and ${isSameRow(parent.key, 'p', 's')}`
	return {
		from: `${parent.stage} s ${join} join ${scanOwn(key.child, 'c')} on ${pairs.join(' and ')}`,
		where: `s.leaf in (${[0, ...key.parent.leaves].join(', ')})`,
	}
}

/** What SET DEFAULT leaves the row `c` with: whether it references at all, and the rows `d` it then does, unless planned. */
export function joinRewritten(key: IncomingForeignKey, parent: StagedTable): { present: string; unplanned: string } {
	const values = key.child.columns.map((name) => {
		const place = key.rewrites.indexOf(name)
		return place < 0 ? `c.${quoteIdentifier(name)}` : `(${key.defaults[place] ?? 'null'})`
	})
	const pairs = key.parent.columns.map(
		(name, place) => `d.${quoteIdentifier(name)} ${key.operators[place]} ${values[place]}`,
	)
	return {
		present: `num_nulls(${values.join(', ')}) ${key.full ? `< ${values.length}` : '= 0'}`,
		unplanned: `select from ${scanOwn(key.parent, 'd')} where ${pairs.join(' and ')}
			and not exists (select from ${parent.stage} x where x.leaf = d.tableoid and ${isSameRow(parent.key, 'd', 'x')})`,
	}
}

/** Whether the row `c` is planned as `sc` of its staged table. */
export function isStaged(child: StagedTable): string {
	return `sc.leaf = c.tableoid and ${isSameRow(child.key, 'c', 'sc')}`
}
