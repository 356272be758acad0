import type { Relation } from '@reprieve/cdc'

/** A place for a column in a table (pg_attribute), in the order of attnum; of a dropped column only the number is left. */
export type Slot = {
	attnum: number
	/** Absent when the column was dropped. */
	column?: { name: string; typeOid: number; typmod: number }
	/** The stream may or may not carry it. */
	isGenerated: boolean
}

type Column = Relation['columns'][number]

/**
 * The attnum of each column of a relation whose columns were renamed, retyped or dropped since. A relation has its columns
 * in the order of attnum, has every column that lives on up to the youngest that it has, and new ones come at the end.
 * Undefined unless that leaves one way to place all of them.
 */
export function placeColumns(columns: Column[], slots: Slot[]): number[] | undefined {
	const ways: number[][] = []
	const dead = new Set<string>()
	const pinned = new Map(columns.map((column) => [column, slots.find((slot) => isSame(column, slot))]))

	function place(column: number, slot: number, placed: number[]): boolean {
		const next = columns[column]
		const at = slots[slot]
		if (!next) return ways.push(placed) > 0
		if (!at || slots.length - slot < columns.length - column || ways.length > 1) return false
		if (dead.has(`${column} ${slot}`)) return false
		const pin = pinned.get(next)
		const isPlaced = (pin ?? at) === at && place(column + 1, slot + 1, [...placed, at.attnum])
		const isSkipped = (!at.column || at.isGenerated) && place(column, slot + 1, placed)
		if (!isPlaced && !isSkipped) dead.add(`${column} ${slot}`)
		return isPlaced || isSkipped
	}

	place(0, 0, [])
	return ways.length === 1 ? ways[0] : undefined
}

function isSame(column: Column, { column: known }: Slot): boolean {
	return known?.name === column.name && known.typeOid === column.typeOid && known.typmod === column.typmod
}
