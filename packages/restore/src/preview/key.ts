import { formatTableName, quoteIdentifier, ReprieveError, type SourceTable } from '@reprieve/contracts'
import type { Unique } from '../catalog/uniques.ts'

/** The unique index behind the table's key. Throws NOT_RESTORABLE when the table has none. */
export function keyUnique(table: SourceTable, uniques: Unique[]): Unique {
	const names = table.key
	const found = uniques.find(
		(unique) =>
			unique.table === table.oid &&
			unique.predicate === undefined &&
			!unique.deferrable &&
			unique.parts.length === names.length &&
			unique.parts.every((part, i) => unquoted(part.expression) === names[i]),
	)
	if (found && names.length > 0) return found
	throw new ReprieveError('NOT_RESTORABLE', `${formatTableName(table)} has no key by which its rows are told apart`, {
		hint: 'Add a primary key, or a unique index over NOT NULL columns, that is not deferrable.',
	})
}

/** SQL of "the same key", by the key's own operators. */
export function sameKey(table: SourceTable, key: Unique, left: string, right: string): string {
	return table.key
		.map((name, i) => `${left}.${quoteIdentifier(name)} ${key.parts[i]?.operator} ${right}.${quoteIdentifier(name)}`)
		.join(' and ')
}

/** The column that an index's expression is, if it is one. */
export function unquoted(expression: string): string {
	return expression.startsWith('"') ? expression.slice(1, -1).replaceAll('""', '"') : expression
}
