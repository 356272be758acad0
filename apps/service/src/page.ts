import { ReprieveError } from '@reprieve/contracts'

/** One page of a list that was read with one row more than `limit`: `next` is there when more rows are. */
export function toPage<T>(rows: T[], limit: number, cursorOf: (row: T) => string): { items: T[]; next?: string } {
	if (rows.length <= limit) return { items: rows }
	const items = rows.slice(0, limit)
	const newest = items.at(-1)
	return newest === undefined ? { items } : { items, next: cursorOf(newest) }
}

/** The cursor as the list handed it out. Throws INVALID on anything else. */
export function readCursor(cursor: string | undefined, shape: RegExp): string | undefined {
	if (cursor === undefined || shape.test(cursor)) return cursor
	throw new ReprieveError('INVALID', 'the cursor is not one that this list handed out', {
		hint: 'Pass `next` of the page before, unchanged.',
	})
}
