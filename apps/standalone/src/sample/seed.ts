/** How the sample is made: the same numbers and the same day give the same rows. */
export type SampleSize = {
	customers: number
	orders: number
	sessions: number
	/** The day that all times count back from, as `2026-11-22`. */
	today: string
}

/** Full size: about 50,000 customers and 200,000 orders. */
export function fullSize(today: string): SampleSize {
	return { customers: 50_000, orders: 200_000, sessions: 60_000, today }
}

/**
 * `pick(n, salt, range)`: a number from 0 to range - 1 that depends on n and salt alone;
 * `some(n, salt, list)`: an element of a list. Both in the loading session only.
 */
export const functions = `
create function pg_temp.pick(n bigint, salt bigint, range bigint) returns bigint language sql immutable
	return (hashint8extended(n, salt) & 9223372036854775807) % range;
create function pg_temp.some(n bigint, salt bigint, list text[]) returns text language sql immutable
	return list[1 + (hashint8extended(n, salt) & 9223372036854775807) % cardinality(list)];
`
