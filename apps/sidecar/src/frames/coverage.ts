import type { FrameShare } from '@reprieve/cdc'
import { frameSource, gapMark } from '../kafka/sources.ts'
import type { ShareState } from './queue.ts'

/** Says where a share of a transaction is, by the sources of its table's log. Pure. */
export function judgeShare(
	sources: ReadonlyMap<string, bigint> | undefined,
	share: FrameShare,
	{ lineage, epoch }: { lineage: string; epoch: number },
): ShareState {
	if (!sources) return 'awaited'
	const source = frameSource(lineage, epoch, share.partition)
	const { position } = share.final
	if (position <= (sources.get(lineage) ?? -1n)) return 'covered'
	if (position > (sources.get(source) ?? -1n)) return 'awaited'
	const prefix = gapMark(source, 0n).slice(0, -1)
	for (const [mark, to] of sources) {
		if (!mark.startsWith(prefix)) continue
		if (position > BigInt(mark.slice(prefix.length)) && position <= to) return 'missing'
	}
	return 'covered'
}
