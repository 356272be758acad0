import { type Policy, parseTableName, quoteIdentifier, quoteTable, ReprieveError } from '@reprieve/contracts'
import { readEqualityOperator, requireColumn } from '@reprieve/postgres'
import { requireTable } from '../source.ts'
import { type CandidateContext, type Candidates, matchingRows } from './candidates.ts'

/** Rows whose reference finds no row; never one with a NULL among its columns. Throws INVALID or NOT_FOUND. */
export async function orphanCandidates(
	policy: Extract<Policy, { kind: 'orphans' }>,
	context: CandidateContext,
): Promise<Candidates> {
	const { columns, references } = policy
	if (columns.length !== references.columns.length) {
		throw new ReprieveError('INVALID', `${columns.length} columns reference ${references.columns.length} columns`, {
			hint: 'Name as many columns in references.columns as in columns.',
		})
	}
	const parent = await requireTable(context.sql, parseTableName(references.table))
	const pairs: string[] = []
	for (const [index, name] of columns.entries()) {
		const child = requireColumn(context.table, name)
		const target = requireColumn(parent, references.columns[index] as string)
		const equals = await readEqualityOperator(context.sql, target, child)
		pairs.push(equals(`r.${quoteIdentifier(target.name)}`, `t.${quoteIdentifier(child.name)}`))
	}
	const present = columns.map((name) => `t.${quoteIdentifier(name)} is not null`)
	const text = `${present.join(' and ')} and not exists (select from ${quoteTable(parent)} r where ${pairs.join(' and ')})`
	return matchingRows(
		context,
		{ text, params: [] },
		{
			where: policy.where,
			witness: { kind: 'absentParent', oid: parent.oid, columns, references: references.columns },
		},
	)
}
