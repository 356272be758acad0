import type { ChangeRows, TextColumn } from '@reprieve/contracts'

/**
 * Partition of each row: a pure function of the texts of the table's key columns (of all columns where it has no key)
 * and of the number of partitions (1 to 65535), so that changes of one row stay in order. Says nothing of types: the
 * same text is the same place.
 */
export function placeRows(rows: ChangeRows, partitions: number): Uint16Array {
	if (!Number.isInteger(partitions) || partitions < 1 || partitions > 0xffff)
		throw new RangeError(`${partitions} partitions; a topic of ours has 1 to 65535`)
	const places = new Uint16Array(rows.count)
	if (partitions === 1) return places
	const hashes = new Uint32Array(rows.count).fill(0x811c9dc5)
	for (const column of keyColumns(rows)) hashColumn(column, hashes)
	for (let row = 0; row < rows.count; row++) places[row] = finish(hashes[row] as number) % partitions
	return places
}

function keyColumns({ table, columns }: ChangeRows): TextColumn[] {
	if (table.key.length === 0) return columns
	return table.key.map((name) => columns[table.columns.findIndex((column) => column.name === name)] as TextColumn)
}

/** FNV-1a, 32 bits: a NULL as the byte 0; a value as the byte 1, its bytes and the byte 0. */
function hashColumn({ bytes, offsets, present }: TextColumn, hashes: Uint32Array): void {
	for (let row = 0; row < hashes.length; row++) {
		let hash = hashes[row] as number
		if (present[row] === 1) {
			hash = Math.imul(hash ^ 1, 0x01000193)
			const end = offsets[row + 1] as number
			for (let at = offsets[row] as number; at < end; at++) hash = Math.imul(hash ^ (bytes[at] as number), 0x01000193)
		}
		hashes[row] = Math.imul(hash, 0x01000193)
	}
}

/** MurmurHash3's last step: FNV alone leaves the low bits of short keys uneven. */
function finish(hash: number): number {
	let h = hash ^ (hash >>> 16)
	h = Math.imul(h, 0x85ebca6b)
	h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35)
	return (h ^ (h >>> 16)) >>> 0
}
