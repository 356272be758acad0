import type { ChangeRows } from '@reprieve/contracts'

/** One change's place in the log. */
export type Place = { position: bigint; ordinal: number }

/** The places that a segment spans, both inclusive, and whether its rows lie in that order. */
export type Range = { first: Place; final: Place; isOrdered: boolean }

/** Order of two places in the log. */
export function comparePlaces(a: Place, b: Place): number {
	if (a.position !== b.position) return a.position < b.position ? -1 : 1
	return a.ordinal - b.ordinal
}

/** The range of rows `start` to `end`, of which there is at least one. */
export function rangeOf(rows: Pick<ChangeRows, 'position' | 'ordinal'>, start: number, end: number): Range {
	const placeOf = (row: number) => ({ position: rows.position[row] as bigint, ordinal: rows.ordinal[row] as number })
	let first = placeOf(start)
	let final = first
	let isOrdered = true
	for (let row = start + 1; row < end; row++) {
		const place = placeOf(row)
		if (comparePlaces(place, placeOf(row - 1)) < 0) isOrdered = false
		if (comparePlaces(place, first) < 0) first = place
		if (comparePlaces(place, final) > 0) final = place
	}
	return { first, final, isOrdered }
}

/** A range as an `add` carries it: `position.ordinal-position.ordinal`, with `*` behind when the rows are in another order. */
export function formatRange({ first, final, isOrdered }: Range): string {
	return `${first.position}.${first.ordinal}-${final.position}.${final.ordinal}${isOrdered ? '' : '*'}`
}

/** Inverse of {@link formatRange}. Throws a RangeError on anything else. */
export function parseRange(text: string): Range {
	const match = /^(\d+)\.(\d+)-(\d+)\.(\d+)(\*?)$/.exec(text)
	if (!match) throw new RangeError(`"${text}" is not a segment's range`)
	return {
		first: { position: BigInt(match[1] as string), ordinal: Number(match[2]) },
		final: { position: BigInt(match[3] as string), ordinal: Number(match[4]) },
		isOrdered: match[5] === '',
	}
}
