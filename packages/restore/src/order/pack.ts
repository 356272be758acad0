import type { Edge } from './components.ts'
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
 * Joins loads of one mode while they fit into one batch, each with or after those that its tables reference: a batch costs
 * as much as hundreds of rows. Loads come in such an order already; one of more than `batchRows` stays alone.
 */
export function packLoads<T extends Load>(loads: T[], references: Edge[], batchRows: number): T[][] {
	const loadOf = new Map(loads.flatMap((load) => load.tables.map((table) => [table, load])))
	const parents = new Map(loads.map((load) => [load, new Set<T>()]))
	for (const { child, parent } of references) {
		const [own, other] = [loadOf.get(child), loadOf.get(parent)]
		if (own && other && own !== other) parents.get(own)?.add(other)
	}
	const packs: T[][] = []
	for (let left = new Set(loads); left.size > 0; ) {
		const pack = fillPack(left, parents, batchRows)
		packs.push(pack)
		left = left.difference(new Set(pack))
	}
	return packs
}

/** The first load that is left, and every later one that may share its batch. */
function fillPack<T extends Load>(left: ReadonlySet<T>, parents: ReadonlyMap<T, Set<T>>, batchRows: number): T[] {
	const waiting = new Set(left)
	const pack: T[] = []
	let [rows, tables] = [0, 0]
	for (const load of left) {
		const fits = rows + load.rows <= batchRows && tables + load.tables.length <= mostTables
		const joins = pack[0]?.mode === load.mode && fits && parents.get(load)?.isDisjointFrom(waiting)
		if (pack.length > 0 && !joins) continue
		pack.push(load)
		waiting.delete(load)
		rows += load.rows
		tables += load.tables.length
	}
	return pack
}
