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
export async function staleCandidates(
	policy: Extract<Policy, { kind: 'stale' }>,
	context: CandidateContext,
): Promise<Candidates> {
	const column = requireColumn(context.table, policy.column)
	const threshold = thresholds[column.typeOid]
	if (!threshold) {
		throw new ReprieveError('INVALID', `column "${column.name}" is ${column.typeName}, which tells no time`, {
			hint: 'Name a column of type date, timestamp or timestamptz.',
		})
	}
	const { olderThan } = policy
	const instant = olderThan.startsWith('P') ? await instantBefore(context, olderThan) : olderThan
	const text = `t.${quoteIdentifier(column.name)} < ${threshold('$1::timestamptz')}`
	return matchingRows(context, { text, params: [instant] }, { where: policy.where })
}

/** The snapshot's time less a duration: as an expression it would be worked out for every row. */
async function instantBefore({ sql }: CandidateContext, duration: string): Promise<string> {
	const [row] = await sql<{ instant: string }[]>`
		select (transaction_timestamp() - ${duration}::text::interval)::text as instant`
	return (row as { instant: string }).instant
}
