import { type RowOrigin, RowsBuilder, type Tuple } from '@reprieve/cdc'
import type { ChangeRows, SourceTable } from '@reprieve/contracts'
import { expect, test } from 'vitest'
import { inOrder, sliceRows } from './order.ts'

const table = (name: string): SourceTable => ({
	...{ oid: 1, schema: 'public', name, kind: 'r', key: ['id'], foreignKeys: [] },
	columns: [
		{
			...{ attnum: 1, name: 'id', typeOid: 25, typmod: -1, typeName: 'text', typeKind: 'b' },
			...{ notNull: true, generated: '', identity: '' },
		},
	],
})

/** Rows at [position, ordinal] each. */
function rowsAt(version: string, places: [number, number][]): ChangeRows {
	const builder = new RowsBuilder(table(version))
	for (const [position, ordinal] of places) {
		const bytes = Buffer.from(`${version}${position}.${ordinal}`)
		const tuple: Tuple = { bytes, count: 1, start: Int32Array.of(0), length: Int32Array.of(bytes.length) }
		const origin: RowOrigin = {
			...{ op: 'delete', position: BigInt(position), ordinal, xid: 1, committedAt: 0n, leaf: null, rewritten: null },
		}
		builder.append(tuple, Int16Array.of(0), origin)
	}
	return builder.slice(0, builder.count)
}

function textsOf(rows: ChangeRows): string[] {
	const { bytes, offsets } = rows.columns[0] as ChangeRows['columns'][number]
	return Array.from({ length: rows.count }, (_, row) =>
		Buffer.from(bytes.subarray(offsets[row], offsets[row + 1])).toString(),
	)
}

test('rows of versions that interleave become runs in the order of their places', () => {
	const old = rowsAt('a', [
		[1, 0],
		[1, 1],
		[3, 0],
		[5, 2],
	])
	const fresh = rowsAt('b', [
		[1, 2],
		[3, 1],
		[3, 2],
		[6, 0],
	])
	expect(inOrder([fresh, old]).map(textsOf)).toEqual([
		['a1.0', 'a1.1'],
		['b1.2'],
		['a3.0'],
		['b3.1', 'b3.2'],
		['a5.2'],
		['b6.0'],
	])
})

test('one version alone is handed on as it is', () => {
	const rows = rowsAt('a', [
		[1, 0],
		[2, 0],
	])
	expect(inOrder([rows, rowsAt('b', [])])).toEqual([rows])
	expect(inOrder([rows])[0]).toBe(rows)
})

test('a slice has the rows that it names', () => {
	const rows = rowsAt('a', [
		[1, 0],
		[2, 0],
		[2, 1],
		[4, 0],
	])
	const part = sliceRows(rows, 1, 3)
	expect(textsOf(part)).toEqual(['a2.0', 'a2.1'])
	expect([...part.position]).toEqual([2n, 2n])
	expect([...part.ordinal]).toEqual([0, 1])
	expect(sliceRows(part, 1, 1).count).toBe(0)
})
