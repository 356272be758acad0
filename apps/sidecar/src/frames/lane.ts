import { createFrameReader, type Frame, type FrameReader, PoisonRecord } from '@reprieve/cdc'
import type { Lane, LaneRecord } from './brokers.ts'
import { type Belonging, whyOf } from './poison.ts'

export type ReadFrame = { kind: 'frame'; frame: Frame; offset: bigint; next: bigint; bytes: number }

export type Read =
	| ReadFrame
	/** More records are needed, or there was nothing in it. */
	| { kind: 'nothing' }
	| { kind: 'poison'; offset: bigint; why: string }
	/** Of an epoch that nobody here knows yet. */
	| { kind: 'ahead' }
	/** The record does not follow what was read: the broker is asked once more. */
	| { kind: 'seek' }

export type LaneOptions = {
	key: Uint8Array
	/** Offset of the first record. */
	next: bigint
	judge: (frame: Frame) => Belonging
	/** Records were left out, or read before. */
	onSkip: () => void
}

/** Puts the records of one partition together to frames, and notices records that were left out. */
export class LaneReader {
	readonly lane: Lane
	readonly #reader: FrameReader
	/** Offset of the record that is expected. */
	#next: bigint
	#begun: { offset: bigint; bytes: number } | undefined
	#asked: bigint | undefined
	readonly #options: LaneOptions

	constructor(lane: Lane, options: LaneOptions) {
		this.lane = lane
		this.#reader = createFrameReader(options)
		this.#next = options.next
		this.#options = options
	}

	get next(): bigint {
		return this.#next
	}

	/** Where reading begins anew without losing the parts that were read. */
	get resume(): bigint {
		return this.#begun?.offset ?? this.#next
	}

	read({ offset, value }: LaneRecord): Read {
		if (offset > this.#next && this.#asked !== this.#next) {
			this.#asked = this.#next
			return { kind: 'seek' }
		}
		if (offset !== this.#next) this.skipTo(offset)
		const record = value ?? new Uint8Array(0)
		let frame: Frame | undefined
		try {
			frame = this.#reader.read(record)
		} catch (error) {
			// Reading began in the middle of it, or another capture's frame came in between. A frame that lacks is a hole.
			if (error instanceof PoisonRecord && error.reason === 'orphan') {
				this.#next = offset + 1n
				return { kind: 'nothing' }
			}
			return { kind: 'poison', offset, why: whyOf(error) }
		}
		const belonging = frame ? this.#options.judge(frame) : 'ours'
		if (belonging === 'ahead') return { kind: 'ahead' }
		if (typeof belonging === 'object') return { kind: 'poison', offset, why: belonging.poison }
		// A first part may drop what was begun: reading anew from there takes a few records more, and no less.
		const begun = { offset: this.#begun?.offset ?? offset, bytes: (this.#begun?.bytes ?? 0) + record.length }
		this.#begun = this.#reader.isPartial ? begun : undefined
		this.#next = offset + 1n
		return frame && belonging === 'ours' ? { kind: 'frame', frame, next: this.#next, ...begun } : { kind: 'nothing' }
	}

	/** Goes on at an offset as if nothing of the frame under way had been read. */
	skipTo(offset: bigint): void {
		this.#reader.reset()
		this.#begun = undefined
		this.#next = offset
		this.#options.onSkip()
	}
}
