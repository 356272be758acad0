import { type Policy, quoteIdentifier, ReprieveError } from '@reprieve/contracts'
import { requireColumn } from '@reprieve/postgres'
import { type CandidateContext, type Candidates, matchingRows } from './candidates.ts'

/** Columns of these types tell a time; those without a zone are UTC. */
const thresholds: Record<number, (instant: string) => string> = {
	1082: (instant) => `(${instant} at time zone 'UTC')`,
	1114: (instant) => `(${instant} at time zone 'UTC')`,
	1184: (instant) => instant,
}

/** Rows strictly older than the snapshot's time less a duration, or than an instant; NULL is never stale. Throws INVALID. */
export function staleCandidates(policy: Extract<Policy, { kind: 'stale' }>, context: CandidateContext): Candidates {
	const column = requireColumn(context.table, policy.column)
	const threshold = thresholds[column.typeOid]
	if (!threshold) {
		throw new ReprieveError('INVALID', `column "${column.name}" is ${column.typeName}, which tells no time`, {
			hint: 'Name a column of type date, timestamp or timestamptz.',
		})
	}
	const instant = policy.olderThan.startsWith('P')
		? '(transaction_timestamp() - $1::text::interval)'
		: '$1::text::timestamptz'
	const text = `t.${quoteIdentifier(column.name)} < ${threshold(instant)}`
	return matchingRows(context, { text, params: [policy.olderThan] }, { where: policy.where })
}
