import { type Policy, quoteIdentifier, ReprieveError } from '@reprieve/contracts'
import { type IncomingForeignKey, requireColumn } from '@reprieve/postgres'
import { scanOwn } from '../source.ts'
import type { CandidateContext } from './candidates.ts'

type Duplicates = Extract<Policy, { kind: 'duplicates' }>

/** Which row of a cluster stays: an ORDER BY whose first row is the keeper, and the joins that it needs. */
export type KeepOrder = { order: string[]; joins: string }

/** Functions take at most 100 arguments. */
const argumentsAtMost = 90

/** Reads a keep rule. Throws INVALID when `by` is missing, or given where no rule reads it. */
export function keepOrder(policy: Duplicates, context: CandidateContext): KeepOrder {
	const { keep } = policy
	const needsBy = keep === 'newest' || keep === 'oldest'
	if (needsBy !== (policy.by !== undefined)) throw misplacedBy(needsBy, JSON.stringify(keep))
	if (keep === 'mostComplete') return { order: [`${completeness(context)} desc`], joins: '' }
	if (keep === 'mostReferenced') return referenceOrder(context.incoming)
	if (typeof keep === 'object') {
		const order = keep.orderBy.map((part) => columnOrder(context, part.column, part.direction, part.nulls))
		return { order, joins: '' }
	}
	return { order: [columnOrder(context, policy.by as string, keep === 'newest' ? 'desc' : 'asc', 'last')], joins: '' }
}

function columnOrder(context: CandidateContext, name: string, direction: 'asc' | 'desc', nulls: 'first' | 'last') {
	return `t.${quoteIdentifier(requireColumn(context.table, name).name)} ${direction} nulls ${nulls}`
}

function completeness(context: CandidateContext): string {
	const columns = context.table.columns.map((column) => `t.${quoteIdentifier(column.name)}`)
	const parts: string[] = []
	for (let from = 0; from < columns.length; from += argumentsAtMost) {
		parts.push(`num_nonnulls(${columns.slice(from, from + argumentsAtMost).join(', ')})`)
	}
	return `(${parts.join(' + ')})`
}

function referenceOrder(incoming: IncomingForeignKey[]): KeepOrder {
	if (incoming.length === 0) return { order: [], joins: '' }
	const counts = incoming.map((_, index) => `coalesce(f${index}.n, 0)`)
	return { order: [`(${counts.join(' + ')}) desc`], joins: incoming.map(referenceJoin).join(' ') }
}

function referenceJoin(key: IncomingForeignKey, index: number): string {
	const columns = key.child.columns.map((name) => `c.${quoteIdentifier(name)}`)
	const named = columns.map((column, place) => `${column} as r${place}`)
	const on = key.parent.columns.map(
		(name, place) => `t.${quoteIdentifier(name)} ${key.operators[place]} f${index}.r${place}`,
	)
	return `left join (select ${named.join(', ')}, count(*) as n from ${scanOwn(key.child, 'c')}
		where ${columns.map((column) => `${column} is not null`).join(' and ')} group by ${columns.join(', ')}) f${index}
		on ${on.join(' and ')} and t.tableoid in (${key.parent.leaves.join(', ')})`
}

function misplacedBy(needsBy: boolean, keep: string): ReprieveError {
	return needsBy
		? new ReprieveError('INVALID', `keep ${keep} needs "by"`, { hint: 'Name the column that tells the age in "by".' })
		: new ReprieveError('INVALID', `keep ${keep} takes no "by"`, { hint: 'Leave "by" out, or keep newest or oldest.' })
}
