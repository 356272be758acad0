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

/** In `_transactions`: an operator let reading go on behind the record there. */
export function parkedMark(
	epoch: { lineage: string; epoch: number },
	record: { topic: string; partition: number; offset: bigint },
): string {
	return `${epoch.lineage}/${epoch.epoch}/parked/${record.topic}/${record.partition}/${record.offset}`
}

/** The source under which `_transactions` keeps offsets of the transactions' topic. */
export function transactionsSource(lineage: string, epoch: number): string {
	return `${lineage}/${epoch}/transactions`
}
