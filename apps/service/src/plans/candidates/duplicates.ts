import { formatTableName, type Policy, quoteIdentifier, ReprieveError, type SourceColumn } from '@reprieve/contracts'
import { isTextual, requireColumn } from '@reprieve/postgres'
import { keyOf, numbered } from '../source.ts'
import { type CandidateContext, type Candidates, type Condition, withWhere } from './candidates.ts'
import { keepOrder } from './keep.ts'

type Duplicates = Extract<Policy, { kind: 'duplicates' }>
type KeyPart = Duplicates['key'][number]

/** Each normaliser over text. None makes a NULL of a value: an empty result is a value like any other. */
const normalisers: Record<Exclude<KeyPart, string>['normalise'], (text: string) => string> = {
	lower: (text) => `lower(${text})`,
	trim: (text) => `btrim(${text})`,
	collapseSpaces: (text) => `regexp_replace(${text}, ' +', ' ', 'g')`,
	digits: (text) => `regexp_replace(${text}, '[^0-9]', '', 'g')`,
}

/**
 * All rows of each cluster of equal keys but the one that the keep rule puts first; a NULL in the key matches nothing.
 * The keep order ends with the primary key, so that the same rows give the same plan. Throws INVALID, or LIMIT_EXCEEDED
 * when a cluster has more than `maxCluster` rows.
 */
export async function duplicateCandidates(policy: Duplicates, context: CandidateContext): Promise<Candidates> {
	const expressions = policy.key.map((part) => keyExpression(part, context))
	const present = policy.key.map((part) => `${keyOperand(part, context).text} is not null`).join(' and ')
	const filter = withWhere(context, { text: present, params: [] }, policy.where)
	if (policy.maxCluster !== undefined) await refuseLargeCluster(policy.maxCluster, expressions, filter, context)
	return {
		text: clusterQuery(expressions, filter.text, policy, context),
		params: filter.params,
		witness: { kind: 'keeper', expressions },
	}
}

function clusterQuery(expressions: string[], filter: string, policy: Duplicates, context: CandidateContext): string {
	const keep = keepOrder(policy, context)
	const key = keyOf(context, 't')
	const columns = key.map(
		(column, index) => `${column} as k${index + 1}, first_value(${column}) over w as w${index + 1}`,
	)
	const names = [...numbered(key.length, 'k'), 'version', 'wleaf', ...numbered(key.length, 'w')]
	return `select leaf, ${names.join(', ')} from (
		select t.tableoid as leaf, t.xmin as version, ${columns.join(', ')},
			first_value(t.tableoid) over w as wleaf, row_number() over w as place
		from ${context.scan} t ${keep.joins} where ${filter}
		window w as (partition by ${expressions.join(', ')} order by ${[...keep.order, ...key, 't.tableoid'].join(', ')})
		) clusters where place > 1`
}

/** A key part's column: NULL exactly where its expression is, without computing that a second time. */
function keyOperand(part: KeyPart, context: CandidateContext): { column: SourceColumn; text: string } {
	const column = requireColumn(context.table, typeof part === 'string' ? part : part.column)
	return { column, text: `t.${quoteIdentifier(column.name)}` }
}

function keyExpression(part: KeyPart, context: CandidateContext): string {
	const { column, text: operand } = keyOperand(part, context)
	if (typeof part === 'string') return operand
	if (!isTextual(column)) {
		throw new ReprieveError('INVALID', `column "${column.name}" is ${column.typeName}: ${part.normalise} needs text`, {
			hint: 'Name the column without a normaliser.',
		})
	}
	return normalisers[part.normalise](`${operand}::text`)
}

async function refuseLargeCluster(
	limit: number,
	expressions: string[],
	filter: Condition,
	context: CandidateContext,
): Promise<void> {
	const shown = expressions.map((expression) => `(${expression})::text`).join(', ')
	const [largest] = await context.sql.unsafe<{ key: string; size: string }[]>(
		`select json_build_array(${shown})::text as key, count(*) as size from ${context.scan} t where ${filter.text}
		group by ${expressions.join(', ')} having count(*) > ${limit} order by 2 desc, 1 limit 1`,
		filter.params,
	)
	if (!largest) return
	const table = formatTableName(context.table)
	throw new ReprieveError(
		'LIMIT_EXCEEDED',
		`${table} has ${largest.size} rows with key ${largest.key}, more than maxCluster ${limit}`,
		{ hint: 'Look at that key: it may be a placeholder. Leave it out by "where", or raise maxCluster.' },
	)
}
