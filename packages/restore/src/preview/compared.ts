import type { SourceTable } from '@reprieve/contracts'
import type { Reference } from '../catalog/references.ts'
import type { Unique } from '../catalog/uniques.ts'
import { unquoted } from './key.ts'

/** OIDs from here on are not those of types that every database has: a domain may refuse even its absence. */
const firstFree = 10_000

/**
 * Names of the live columns by which rows are told missing, taken or without a parent: a stage of these alone says so.
 * Undefined where an expression, a condition or a column of another kind wants the whole row.
 */
export function comparedColumns(
	live: SourceTable,
	{ uniques, references }: { uniques: Unique[]; references: Reference[] },
): ReadonlySet<string> | undefined {
	const own = uniques.filter((unique) => unique.table === live.oid)
	const outgoing = references.filter((reference) => reference.child === live.oid)
	const isPlain = live.columns.every((column) => column.generated === '' && column.typeOid < firstFree)
	if (!isPlain || own.some(({ predicate }) => predicate) || outgoing.some((each) => each.childCondition !== null)) {
		return undefined
	}
	const incoming = references.filter((reference) => reference.parent === live.oid)
	const names = new Set([
		...live.key,
		...own.flatMap(({ parts }) => parts.map(({ expression }) => unquoted(expression))),
		...outgoing.flatMap(({ columns }) => columns),
		...incoming.flatMap((reference) => reference.references),
	])
	const known = new Set(live.columns.map((column) => column.name))
	return names.isSubsetOf(known) ? names : undefined
}
