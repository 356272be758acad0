import type { SourceTable, Where } from '@reprieve/contracts'
import type { Witness } from '@reprieve/control'
import { compileWhere, type IncomingForeignKey, type Session } from '@reprieve/postgres'
import { keyOf } from '../source.ts'

/** What the compilers of the five kinds work with. */
export type CandidateContext = {
	sql: Session
	/** The table as the policy names it. */
	table: SourceTable
	/** SQL of what is scanned, without alias. */
	scan: string
	/** Key columns of its partition root: what names a row. */
	key: string[]
	/** Foreign keys that point at the table. */
	incoming: IncomingForeignKey[]
}

/**
 * The rows that a policy matches, as SQL: leaf, k1..kn, version and, where a keeper is the reason, wleaf and w1..wn.
 * All parameters are bound as text.
 */
export type Candidates = {
	text: string
	params: string[]
	witness: Witness
	/** The same with `page`, bytes that sort as the pages of the heap that the rows lie on; absent where they are sorted anyway. */
	paged?: string
}

/** A predicate with the parameters that it takes, counted from 1. */
export type Condition = { text: string; params: string[] }

/** Rows of the table that meet a condition and the policy's own `where`; they need no witness unless one is given. */
export function matchingRows(
	context: CandidateContext,
	condition: Condition,
	options: { where?: Where; witness?: Witness } = {},
): Candidates {
	const filter = withWhere(context, condition, options.where)
	const key = keyOf(context, 't').map((column, index) => `${column} as k${index + 1}`)
	const columns = `t.tableoid as leaf, ${key.join(', ')}, t.xmin as version`
	const from = `from ${context.scan} t where ${filter.text}`
	return {
		text: `select ${columns} ${from}`,
		// The number of a page is sent before the number in it, each in network byte order.
		paged: `select substr(tidsend(t.ctid), 1, 4) as page, ${columns} ${from}`,
		params: filter.params,
		witness: options.witness ?? { kind: 'none' },
	}
}

/** A condition and the policy's `where` together. */
export function withWhere(context: CandidateContext, condition: Condition, where: Where | undefined): Condition {
	if (where === undefined) return condition
	const compiled = compileWhere(where, context.table, 't', { from: condition.params.length + 1 })
	return { text: `(${condition.text}) and ${compiled.text}`, params: [...condition.params, ...compiled.params] }
}
