import type { Logger } from 'pino'
import { inParallel } from './in-parallel.ts'
import { overtakenBy } from './overtaken.ts'
import type { PartitionShare } from './partition.ts'
import { joinSpans } from './rows.ts'

/** Partitions that are written at the same time. */
const partitionsAtOnce = 4

/** Writes shares of partitions, each as one entry of its table's log; `onGap` comes before what it tells of is final. */
export async function writeShares(
	shares: PartitionShare[],
	parts: {
		log: Logger
		onGap: (share: PartitionShare) => Promise<void>
		onCommitted: (share: PartitionShare) => void
	},
): Promise<void> {
	const started = performance.now()
	let rows = 0
	await inParallel(shares, partitionsAtOnce, async (share) => {
		const { partition, position, after, marks } = share
		const { source } = partition
		if (share.gaps.length > 0) await parts.onGap(share)
		const segments = [...share.segments]
		for (const joined of joinSpans(share.spans)) segments.push(...(await partition.table.write(joined)))
		const { outcome } = await partition.table.commit({ source, position, after, marks, segments })
		if (outcome !== 'committed') throw overtakenBy(source)
		for (const segment of segments) rows += segment.rows
		parts.onCommitted(share)
	})
	const tables = new Set(shares.map(({ partition }) => partition.label)).size
	const ms = Math.round(performance.now() - started)
	parts.log.info({ partitions: shares.length, tables, rows, ms }, 'archived')
}
