import type { Suppression } from './suppression.ts'

/** Tables that share a batch, and what is known of them. */
export type Load = {
	/** OIDs. */
	tables: number[]
	rows: number
	/** How user triggers are kept from firing: what holds for two loads of one mode holds for both together. */
	mode: Suppression['mode'] | undefined
}

/** So that the one statement that writes a batch, and its locks, stay small. */
const mostTables = 40

/**
 * Joins neighbours of one mode while they fit into one batch, in order: a batch costs as much as hundreds of rows. A load
 * of more than `batchRows` stays alone.
 */
export function packLoads<T extends Load>(loads: T[], batchRows: number): T[][] {
	const packs: T[][] = []
	let [rows, tables] = [0, 0]
	for (const load of loads) {
		const pack = packs.at(-1)
		rows += load.rows
		tables += load.tables.length
		if (pack && pack[0]?.mode === load.mode && rows <= batchRows && tables <= mostTables) {
			pack.push(load)
			continue
		}
		packs.push([load])
		rows = load.rows
		tables = load.tables.length
	}
	return packs
}
