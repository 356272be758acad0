import { isBitSet } from '../values/native.ts'
import type { Scratch } from './scratch.ts'

/** Writes which of the rows `from` to `to` have a value, as definition levels of 0 and 1. */
export function putPresence(
	out: Scratch,
	bitmap: Uint8Array,
	rows: { from: number; to: number; isFull: boolean },
): void {
	const { from, to, isFull } = rows
	putLevels(out, () => {
		if (isFull) return putRun(out, to - from, 1)
		const bytes = (to - from + 7) >> 3
		putVarint(out, bytes * 2 + 1)
		const start = out.used
		const packed = out.take(bytes)
		const shift = from & 7
		for (let at = 0, source = from >> 3; at < bytes; at++, source++) {
			const next = shift === 0 ? 0 : (bitmap[source + 1] ?? 0) << (8 - shift)
			packed[start + at] = ((bitmap[source] as number) >> shift) | next
		}
	})
}

/** Levels as they come, equal neighbours counted. */
export class Runs {
	readonly runs: { count: number; level: number }[] = []

	add(level: number, count = 1): void {
		const run = this.runs.at(-1)
		if (run?.level === level) run.count += count
		else this.runs.push({ count, level })
	}
}

export function putRuns(out: Scratch, { runs }: Runs): void {
	putLevels(out, () => {
		for (const { count, level } of runs) putRun(out, count, level)
	})
}

/** A run of one value that fits a byte. */
export function putRun(out: Scratch, count: number, value: number): void {
	putVarint(out, count * 2)
	const at = out.used
	out.take(1)[at] = value
}

/** How many of the rows have a value. */
export function countPresent(bitmap: Uint8Array, from: number, to: number): number {
	let count = 0
	for (let row = from; row < to; row++) if (isBitSet(bitmap, row)) count++
	return count
}

/** Their size stands before them. */
function putLevels(out: Scratch, put: () => void): void {
	const start = out.used
	out.take(4)
	put()
	out.written.writeUInt32LE(out.used - start - 4, start)
}

function putVarint(out: Scratch, value: number): void {
	let left = value
	for (; left >= 0x80; left = Math.floor(left / 0x80)) out.put(Uint8Array.of((left & 0x7f) | 0x80))
	out.put(Uint8Array.of(left))
}
