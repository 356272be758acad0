import { createHash } from 'node:crypto'

/** A UUID that follows from the parts: of two calls with equal parts, both have the same. */
export function idOf(parts: readonly string[]): string {
	const hex = createHash('sha256').update(JSON.stringify(parts)).digest('hex')
	// Version 8 (made as its maker likes) and the variant of RFC 9562.
	return hex.replace(/^(.{8})(.{4}).(.{3}).(.{3})(.{12}).*$/, '$1-$2-8$3-8$4-$5')
}
