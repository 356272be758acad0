import { expect, test } from 'vitest'
import { planMerges } from './compact.ts'
import type { SegmentFile } from './log/actions.ts'

const kib = 1024

test('small segments are merged again and again at a cost that grows with their logarithm, not their number', () => {
	let files: SegmentFile[] = []
	let written = 0
	for (let round = 0; round < 300; round++) {
		for (let at = 0; at < 10; at++) files.push(file(round * 10 + at, 4 * kib))
		for (const inputs of planMerges(files, {})) {
			const size = inputs.reduce((bytes, input) => bytes + input.size, 0)
			written += size
			const merged = { ...(inputs[0] as SegmentFile), path: `merged ${round}`, size }
			files = [...files.filter((one) => !inputs.includes(one)), merged]
		}
	}
	expect(written / (3000 * 4 * kib)).toBeLessThan(12)
	expect(files.length).toBeLessThan(60)
})

test('a merge holds no more values than memory should', () => {
	const files = Array.from({ length: 30 }, (_, at) => file(at, 4 * kib, 20_000))
	const merges = planMerges(files, { minSegments: 2 })
	expect(merges.map((inputs) => inputs.length)).toEqual([10, 10, 10])
})

/** A segment of ten columns. */
function file(at: number, size: number, rows = 10): SegmentFile {
	const nullCount = Object.fromEntries(Array.from({ length: 10 }, (_, column) => [`c${column}`, 0]))
	const stats = JSON.stringify({ numRecords: rows, minValues: {}, maxValues: {}, nullCount })
	return { path: `${at}`, size, modifiedAt: 0, stats, sha256: '', range: `${at}.0-${at}.9`, schema: 0 }
}
