import { ReprieveError } from './errors.ts'

/** A table as the catalog spells it. */
export type TableName = { schema: string; name: string }

/** `schema.table`, or `table` in public; parts that need it are quoted as SQL does. Inverse of {@link parseTableName}. */
export function formatTableName(table: TableName): string {
	const name = formatPart(table.name)
	return table.schema === 'public' ? name : `${formatPart(table.schema)}.${name}`
}

/** Bytes of the longest name (NAMEDATALEN less its end; PostgreSQL documentation, 4.1.1). */
const longestName = 63

/**
 * Reads `schema.table`, `table` (in public), `"odd.name"`; letter case is kept as written. Throws INVALID, also for a
 * name that is longer than PostgreSQL has any.
 */
export function parseTableName(text: string): TableName {
	const parts = splitParts(text)
	const long = parts.find((part) => new TextEncoder().encode(part).length > longestName)
	if (long !== undefined) throw longName(long)
	const [first, second] = parts
	if (parts.length === 1 && first) return { schema: 'public', name: first }
	if (parts.length === 2 && first && second) return { schema: first, name: second }
	throw invalidName(text)
}

/** A quoted SQL identifier. */
export function quoteIdentifier(name: string): string {
	return `"${name.replaceAll('"', '""')}"`
}

/** A quoted, schema-qualified SQL name. */
export function quoteTable(table: TableName): string {
	return `${quoteIdentifier(table.schema)}.${quoteIdentifier(table.name)}`
}

function formatPart(part: string): string {
	return /[."]/.test(part) ? quoteIdentifier(part) : part
}

function splitParts(text: string): string[] {
	const parts: string[] = []
	const pattern = /(?:"((?:[^"]|"")*)"|([^."]+))(\.|$)/gy
	let end = 0
	for (let match = pattern.exec(text); match; match = pattern.exec(text)) {
		parts.push((match[1]?.replaceAll('""', '"') ?? match[2]) as string)
		end = pattern.lastIndex
		if (match[3] === '') break
	}
	if (end !== text.length || text.endsWith('.')) throw invalidName(text)
	return parts
}

function longName(part: string): ReprieveError {
	return new ReprieveError('INVALID', `"${part}" is longer than the ${longestName} bytes of a name in PostgreSQL`, {
		hint: 'Write the name as the catalog has it: what goes beyond was cut off when it was created.',
	})
}

function invalidName(text: string): ReprieveError {
	return new ReprieveError('INVALID', `"${text}" is not a table name`, {
		hint: 'Write schema.table, or table for one in public; quote a part that contains a dot or a quote.',
	})
}
