import { createHash } from 'node:crypto'
import type { ChangeRows } from '@reprieve/contracts'

/** SHA-256 over the places of a stage's rows (timeline, position and ordinal as the server sends them), taken as they come. */
export type Places = {
	add(rows: ChangeRows, at: ArrayLike<number>, timeline: (row: number) => number): void
	/** Rows have gone from the stage again. */
	forget(): void
	/** Undefined where the rows did not come in the order of the log, each at a place of its own. */
	digest(): Buffer | undefined
}

const placeBytes = 20

/** Of an empty stage. */
export function openPlaces(): Places {
	const hash = createHash('sha256')
	let isKnown = true
	let last = { position: -1n, timeline: -1, ordinal: -1 }
	const isNext = (position: bigint, timeline: number, ordinal: number) => {
		if (position !== last.position) return position > last.position
		return timeline === last.timeline ? ordinal > last.ordinal : timeline > last.timeline
	}
	return {
		add(rows, at, timelineOf) {
			const bytes = Buffer.allocUnsafe(isKnown ? at.length * placeBytes : 0)
			for (let i = 0; i < at.length && isKnown; i++) {
				const row = at[i] as number
				const position = rows.position[row] as bigint
				const timeline = timelineOf(row)
				const ordinal = rows.ordinal[row] as number
				isKnown = isNext(position, timeline, ordinal)
				last = { position, timeline, ordinal }
				const start = i * placeBytes
				bytes.writeInt32BE(timeline, start)
				bytes.writeBigUInt64BE(position, start + 4)
				bytes.writeUInt32BE(0, start + 12)
				bytes.writeUInt32BE(ordinal, start + 16)
			}
			if (isKnown) hash.update(bytes)
		},
		forget() {
			isKnown = false
		},
		digest: () => (isKnown ? hash.copy().digest() : undefined),
	}
}
