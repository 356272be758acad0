import type { AnyPgColumn } from 'drizzle-orm/pg-core'

type Normaliser = 'lower' | 'trim' | 'collapseSpaces' | 'digits'

/** A column compared after normalising; keeps the column's table in its type. */
export type Normalised<C extends AnyPgColumn> = { column: C; normalise: Normaliser }

type TextColumn = AnyPgColumn<{ data: string }>

/** Letter case does not count. */
export function lower<C extends TextColumn>(column: C): Normalised<C> {
	return { column, normalise: 'lower' }
}

/** Spaces around do not count. */
export function trim<C extends TextColumn>(column: C): Normalised<C> {
	return { column, normalise: 'trim' }
}

/** A run of spaces counts as one. */
export function collapseSpaces<C extends TextColumn>(column: C): Normalised<C> {
	return { column, normalise: 'collapseSpaces' }
}

/** Digits alone count. */
export function digits<C extends TextColumn>(column: C): Normalised<C> {
	return { column, normalise: 'digits' }
}
