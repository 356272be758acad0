import { z } from 'zod'

const columnName = z.string().min(1).max(63)
const tableText = z.string().min(1).max(300)

/** A number that reached us as it was written: beyond 2^53 JSON's reader rounds, and another row would be meant. */
export const exactNumber = z
	.number()
	.refine(
		(value) => !Number.isInteger(value) || Number.isSafeInteger(value),
		'too large for a number: write it as a string',
	)

/** Values in predicates: JSON scalars; everything but boolean and small integers may be PostgreSQL text. */
export const scalar = z.union([z.string().max(100_000), exactNumber, z.boolean()])

export const comparisonOps = ['eq', 'ne', 'lt', 'lte', 'gt', 'gte', 'like', 'ilike'] as const

const comparison = z.strictObject({ column: columnName, op: z.enum(comparisonOps), value: scalar })
const membership = z.strictObject({
	column: columnName,
	op: z.enum(['in', 'notIn']),
	value: z.array(scalar).max(1000),
})
const nullness = z.strictObject({ column: columnName, op: z.enum(['isNull', 'isNotNull']) })

/** A predicate as data: at most 16 deep and 1,000 nodes. `{and: []}` matches every row, `{or: []}` none. */
export type Where =
	| z.infer<typeof comparison>
	| z.infer<typeof membership>
	| z.infer<typeof nullness>
	| { and: Where[] }
	| { or: Where[] }
	| { not: Where }

const whereNode: z.ZodType<Where> = z
	.lazy(() =>
		z.union([
			comparison,
			membership,
			nullness,
			z.strictObject({ and: z.array(whereNode) }),
			z.strictObject({ or: z.array(whereNode) }),
			z.strictObject({ not: whereNode }),
		]),
	)
	.meta({ id: 'Where' })

export const maxWhereDepth = 16
export const maxWhereNodes = 1000

/** Measured before the recursive parse, so that a hostile depth cannot exhaust the stack. */
function isWithinBounds(value: unknown): boolean {
	let nodes = 0
	let level: unknown[] = [value]
	for (let depth = 1; level.length > 0; depth++) {
		nodes += level.length
		if (depth > maxWhereDepth || nodes > maxWhereNodes) return false
		level = level.flatMap(childrenOf)
	}
	return true
}

function childrenOf(node: unknown): unknown[] {
	if (typeof node !== 'object' || node === null) return []
	const { and, or, not } = node as { and?: unknown; or?: unknown; not?: unknown }
	return [...(Array.isArray(and) ? and : []), ...(Array.isArray(or) ? or : []), ...(not === undefined ? [] : [not])]
}

export const where = z
	.unknown()
	.refine(isWithinBounds, `a predicate has at most ${maxWhereDepth} levels and ${maxWhereNodes} nodes`)
	.pipe(whereNode)

export const normalisers = ['lower', 'trim', 'collapseSpaces', 'digits'] as const
const keyPart = z.union([columnName, z.strictObject({ column: columnName, normalise: z.enum(normalisers) })])
const orderBy = z.strictObject({
	column: columnName,
	direction: z.enum(['asc', 'desc']).default('asc'),
	nulls: z.enum(['first', 'last']).default('last'),
})
const keepRule = z.union([
	z.enum(['newest', 'oldest', 'mostComplete', 'mostReferenced']),
	z.strictObject({ orderBy: z.array(orderBy).min(1).max(16) }),
])
const common = {
	table: tableText,
	where: where.optional(),
	onRestrict: z.enum(['skip', 'refuse', 'include']).optional(),
}
const duration = /P(?!$)(\d+Y)?(\d+M)?(\d+W)?(\d+D)?(T(?=\d)(\d+H)?(\d+M)?(\d+(\.\d{1,6})?S)?)?/
const instant = /\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d(\.\d{1,6})?)?(Z|[+-]\d\d:\d\d)/
const olderThan = z
	.string()
	.max(100)
	.regex(new RegExp(`^(${duration.source}|${instant.source})$`), 'an ISO 8601 duration (P90D) or an instant')

/** Fields of each policy kind, without `kind`; the one-call forms take them at top level. */
export const policyFields = {
	duplicates: z.strictObject({
		...common,
		key: z.array(keyPart).min(1).max(16),
		keep: keepRule,
		by: columnName.optional(),
		strategy: z.literal('delete').optional(),
		maxCluster: z.int().min(2).max(2_147_483_647).optional(),
	}),
	stale: z.strictObject({ ...common, column: columnName, olderThan }),
	orphans: z.strictObject({
		...common,
		columns: z.array(columnName).min(1).max(32),
		references: z.strictObject({ table: tableText, columns: z.array(columnName).min(1).max(32) }),
	}),
	incomplete: z.strictObject({
		...common,
		missing: z.array(columnName).min(1).max(100),
		match: z.enum(['all', 'any']).optional(),
		blank: z.boolean().optional(),
	}),
	match: z.strictObject({ ...common, where }),
} as const

export const policyKinds = ['duplicates', 'stale', 'orphans', 'incomplete', 'match'] as const
export type PolicyKind = (typeof policyKinds)[number]

/** A rule that says what is clutter in one table. */
export const policy = z
	.discriminatedUnion('kind', [
		policyFields.duplicates.extend({ kind: z.literal('duplicates') }),
		policyFields.stale.extend({ kind: z.literal('stale') }),
		policyFields.orphans.extend({ kind: z.literal('orphans') }),
		policyFields.incomplete.extend({ kind: z.literal('incomplete') }),
		policyFields.match.extend({ kind: z.literal('match') }),
	])
	.meta({ id: 'Policy' })

export type Policy = z.infer<typeof policy>
/** What a caller writes: defaults may be left out. */
export type PolicyInput = z.input<typeof policy>
