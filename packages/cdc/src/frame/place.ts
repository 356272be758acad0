import { type ChangeRows, changeOps } from '@reprieve/contracts'
import type { Place } from './frame.ts'

const relink = changeOps.indexOf('relink')

/** Ordinals of relinks begin here: they are sent behind all other rows of their transaction. */
const firstRelink = 0x8000_0000

/** Where a row stands among those of its partition. */
export function placeOf({ op, position, ordinal }: ChangeRows, row: number): Place {
	const own = ordinal[row] as number
	return { position: position[row] as bigint, ordinal: op[row] === relink ? firstRelink + own : own }
}
