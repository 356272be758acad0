import { expect, test } from 'vitest'
import { buildCells } from './cells.ts'

test('a whole number is its digits', () => {
	const numbers = [0, 9, 10, 999_999_999, 1e9, 1e9 + 1, 12_000_000_034, 2 ** 31, Number.MAX_SAFE_INTEGER]
	const all = numbers.flatMap((number) => [number, -number]).filter((number) => !Object.is(number, -0))
	const builder = buildCells(all.length)
	for (const number of all) builder.push(number)
	const { bytes, offsets } = builder.finish()
	const text = (row: number) => Buffer.from(bytes.subarray(offsets[row], offsets[row + 1])).toString()
	expect(all.map((_, row) => text(row))).toEqual(all.map(String))
})

test('values beyond what offsets can tell are refused', () => {
	const builder = buildCells(2)
	builder.push('first')
	expect(() => builder.copy(new Uint8Array(1), 0, 2 ** 32)).toThrow('2 values read at once have more than 4 GiB')
})
