import { type Policy, quoteIdentifier, type SourceColumn } from '@reprieve/contracts'
import { isTextual, requireColumn } from '@reprieve/postgres'
import { type CandidateContext, type Candidates, matchingRows } from './candidates.ts'

/** Rows whose listed columns are all (or any) NULL; with `blank`, also empty or only spaces. Throws INVALID. */
export function incompleteCandidates(
	policy: Extract<Policy, { kind: 'incomplete' }>,
	context: CandidateContext,
): Candidates {
	const parts = policy.missing.map((name) => isMissing(requireColumn(context.table, name), policy.blank === true))
	const text = parts.join(policy.match === 'any' ? ' or ' : ' and ')
	return matchingRows(context, { text: `(${text})`, params: [] }, { where: policy.where })
}

function isMissing(column: SourceColumn, blank: boolean): string {
	const operand = `t.${quoteIdentifier(column.name)}`
	return blank && isTextual(column) ? `(${operand} is null or btrim(${operand}::text) = '')` : `(${operand} is null)`
}
