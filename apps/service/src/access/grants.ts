import { formatTableName, parseTableName, ReprieveError } from '@reprieve/contracts'
import type { Principal } from '../context.ts'

/** Whether the principal's key may act on a table; a key without a list may act on all. */
export function isGranted(principal: Principal, table: string): boolean {
	return !principal.tables || principal.tables.includes(canonical(table))
}

/** Throws FORBIDDEN that names the first table which the principal's key may not act on. */
export function requireTables(principal: Principal, tables: Iterable<string>): void {
	for (const table of tables) {
		if (isGranted(principal, table)) continue
		throw new ReprieveError('FORBIDDEN', `the key "${principal.name}" has no grant on ${table}`, {
			hint: 'Use a key that may act on every table touched.',
		})
	}
}

/** Throws FORBIDDEN for a key that is bound to some tables, where the answer spans all of them. */
export function requireAllTables(principal: Principal): void {
	if (!principal.tables) return
	throw new ReprieveError(
		'FORBIDDEN',
		`the key "${principal.name}" may act on ${principal.tables.length} tables, not on all`,
		{
			hint: 'Name a table, or use a key that may act on every table.',
		},
	)
}

/** One spelling of a table name: `public.a` and `a` are the same table. */
export function canonical(table: string): string {
	return formatTableName(parseTableName(table))
}
