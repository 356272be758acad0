/** The `txn` source, in a table's log, of what came through one partition. */
export function frameSource(lineage: string, epoch: number, partition: number): string {
	return `${lineage}/${epoch}/${partition}`
}

/** In a table's log, beside a {@link frameSource}: the next offset to read. It only seeks. */
export function offsetMark(source: string): string {
	return `${source}/offset`
}

/** In a table's log: places behind `from` and up to the mark's position are a gap that reading went on behind. */
export function gapMark(source: string, from: bigint): string {
	return `${source}/gap/${from}`
}

/** In `_transactions`: everything of an epoch is in the vault; its position is where the next epoch begins. */
export function drainedMark(lineage: string, epoch: number): string {
	return `${lineage}/${epoch}/drained`
}
