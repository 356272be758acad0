import { ReprieveError } from '@reprieve/contracts'

/** No declared input is nested deeper than a predicate of 16 levels inside a policy. */
const maxDepth = 64

/**
 * Refuses what PostgreSQL text cannot hold (NUL, half a surrogate pair: it would silently become another character)
 * and nesting that no declared input has. Throws INVALID.
 */
export function refuseUnstorable(input: unknown): void {
	let level: unknown[] = [input]
	for (let depth = 0; level.length > 0; depth++) {
		if (depth > maxDepth) throw new ReprieveError('INVALID', `the input is nested deeper than ${maxDepth} levels`)
		for (const value of level) if (typeof value === 'string') refuseText(value)
		level = level.flatMap(membersOf)
	}
}

function membersOf(value: unknown): unknown[] {
	if (typeof value !== 'object' || value === null) return []
	return Array.isArray(value) ? value : [...Object.keys(value), ...Object.values(value)]
}

function refuseText(text: string): void {
	if (!text.includes('\0') && text.isWellFormed()) return
	throw new ReprieveError('INVALID', 'a text of the input holds a NUL or half a surrogate pair', {
		hint: 'PostgreSQL text cannot hold it, so no row can match it.',
	})
}
