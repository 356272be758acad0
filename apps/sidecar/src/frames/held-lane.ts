import type { Lane } from './brokers.ts'
import type { LaneReader } from './lane.ts'
import type { TablePartition } from './partition.ts'
import type { ReceiptQueue } from './queue.ts'

/** A partition that this instance reads. */
export type HeldLane = {
	lane: Lane
	reader: LaneReader
	source: string
	/** A table's rows, or the transactions; neither before the first frame of a topic whose name does not say the table. */
	partition?: TablePartition
	queue?: ReceiptQueue
	/** How often the group has given it, without a break. */
	given: number
	/** Resolves when what was handed over is taken. */
	taking: Promise<void>
	/** Offset of the record that stopped it, and why. */
	poison?: { offset: bigint; why: string }
	/** Offset of a frame that was read, but is not taken yet. */
	inHand?: bigint
	/** Frames are missing; whether that is recorded of this session, and where the first frame behind them lies. */
	hole?: { session: string; isRecorded: boolean; offset: bigint }
	/** Its end was reached without a hole. */
	isWhole: boolean
	/** So many transactions wait that no more are read. */
	isLong: boolean
	/** What was said in the group. */
	committed?: bigint
}

/** Where reading begins anew without losing what this instance has not taken. */
export function resumeOf({ hole, inHand, reader }: HeldLane): bigint {
	return hole?.offset ?? inHand ?? reader.resume
}

/** What may be said in the group of a lane; undefined while it holds what only memory has. */
export function durableOf(held: HeldLane): bigint | undefined {
	const { partition, queue } = held
	if (partition?.hasWhole || (queue && queue.size > 0)) return undefined
	return partition?.resumeAt(resumeOf(held)) ?? resumeOf(held)
}
