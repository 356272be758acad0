import { expect, test } from 'vitest'
import { integerCodec, longCodec } from '../values/integer.ts'
import { stringCodec } from '../values/text.ts'
import { cellsOf } from './cells.ts'
import { encodeColumn } from './encode.ts'
import { openParquet } from './parquet.ts'
import { joinSlices, openSlice, slicesOf } from './slices.ts'

const path = 'data/one.parquet'
const rows = 1_000

/** A segment of ten row groups, each with NULLs, and one column without a single value. */
async function segment(): Promise<Uint8Array> {
	const texts = Array.from({ length: rows }, (_, row) => (row % 7 === 0 ? null : `text ${row}`))
	const encoded = [
		{ name: 'id', encoded: longCodec.encode(cellsOf(texts.map((_, row) => String(row))), 0, rows) },
		{ name: 'note', encoded: stringCodec.encode(cellsOf(texts), 0, rows) },
		{ name: 'none', encoded: integerCodec.encode(cellsOf(texts.map(() => null)), 0, rows) },
	]
	const grouping = { rows: 100, bounded: ['id'] }
	const columns = encoded.map((column) => encodeColumn(column, rows, grouping))
	return joinSlices(path, columns, { rows, grouping })
}

const valuesOf = async (bytes: Uint8Array) => {
	const file = openParquet(bytes)
	return await Promise.all(['id', 'note', 'none'].map((name) => file.readAll(name)))
}

test('the whole is a Parquet file, and its slices are its row groups one after the other', async () => {
	const bytes = await segment()
	const slices = slicesOf(bytes)
	expect(slices).toHaveLength(10)
	const parts = await Promise.all(
		slices.map(({ offset, size }) =>
			valuesOf(openSlice('object', { path, offset }, bytes.subarray(offset, offset + size + 100))),
		),
	)
	const joined = [0, 1, 2].map((at) => parts.flatMap((part) => part[at] ?? []))
	const [ids] = joined
	expect(ids).toEqual(Array.from({ length: rows }, (_, row) => BigInt(row)))
	expect(joined).toEqual(await valuesOf(bytes))
})

test('a slice with any byte flipped, cut short, or in another place is refused by the name of its object', async () => {
	const bytes = await segment()
	const { offset, size } = slicesOf(bytes)[3] as { offset: number; size: number }
	const slice = bytes.subarray(offset, offset + size)
	const refusal = expect.objectContaining({ code: 'VAULT_CORRUPT', message: expect.stringContaining('shop/object') })
	const open = (content: Uint8Array, place = { path, offset }) => openSlice('shop/object', place, content)
	expect(() => open(slice)).not.toThrow()
	for (let at = 0; at < size; at++) {
		const damaged = Buffer.from(slice)
		damaged[at] = (damaged[at] as number) ^ (1 << (at % 8))
		expect(() => open(damaged), `byte ${at}`).toThrow(refusal)
	}
	for (const length of [0, 7, 47, 48, size - 1]) expect(() => open(slice.subarray(0, length))).toThrow(refusal)
	expect(() => open(slice, { path: 'data/other.parquet', offset })).toThrow(refusal)
	expect(() => open(slice, { path, offset: offset + 16 })).toThrow(refusal)
})
