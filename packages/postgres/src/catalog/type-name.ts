import type { SourceColumn } from '@reprieve/contracts'

/** OIDs below belong to PostgreSQL itself; types from here on are somebody's own. */
const firstUserOid = 16_384

/** Where dropping `(n)` from a name would change the type: `character` alone means one character, `bit` one bit. */
const ownSpelling: Record<number, string> = { 1042: 'bpchar', 1014: 'bpchar[]', 1560: '"bit"', 1561: '"bit"[]' }

/**
 * Name of a column's type without its modifier, for casts that must not round or cut the value:
 * `numeric(10,2)` casts 1.005 to 1.01, `numeric` keeps it.
 */
export function bareTypeName(column: Pick<SourceColumn, 'typeOid' | 'typmod' | 'typeName'>): string {
	if (column.typmod < 0) return column.typeName
	const own = ownSpelling[column.typeOid]
	if (own) return own
	if (column.typeOid === 1186) return 'interval'
	if (column.typeOid === 1187) return 'interval[]'
	return column.typeName.replace(/\([^()"]*\)/, '')
}

/** Whether a type is PostgreSQL's own: only such types may appear in tables of reprieve. */
export function isBuiltInType(typeOid: number): boolean {
	return typeOid < firstUserOid
}

const textTypes = new Set([25, 1043, 1042, 19])

/** Whether text operators may apply: text, varchar, char, name, citext, and domains (which the server then checks). */
export function isTextual(column: Pick<SourceColumn, 'typeOid' | 'typeKind' | 'typeName'>): boolean {
	return textTypes.has(column.typeOid) || column.typeKind === 'd' || isCitext(column)
}

/** Whether a column is of the extension type citext, whose own operators lie outside pg_catalog. */
export function isCitext(column: Pick<SourceColumn, 'typeName'>): boolean {
	return column.typeName === 'citext' || column.typeName.endsWith('.citext')
}
