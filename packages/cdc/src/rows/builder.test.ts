import type { ChangeRows, SourceTable, TextColumn } from '@reprieve/contracts'
import { expect, test } from 'vitest'
import { createDecoder } from '../pgoutput/decode.ts'
import { int32, message, row } from '../pgoutput/fixture.ts'
import { type RowOrigin, RowsBuilder } from './builder.ts'

const origin: RowOrigin = {
	op: 'delete',
	position: 500n,
	ordinal: 3,
	xid: 9,
	committedAt: 1_000n,
	leaf: null,
	rewritten: null,
}

test('copies values as bytes into the columns of the table, in its own order', () => {
	const builder = filled([row('é', '1'), row(null, '2'), row('', '3')])
	const rows = builder.slice(0, 3)
	expect(cells(rows, 0)).toEqual(['1', '2', '3'])
	expect(cells(rows, 1)).toEqual(['é', null, ''])
	expect(cells(rows, 2)).toEqual([null, null, null])
	expect([...rows.position, ...rows.ordinal, ...rows.xid, ...rows.committedAt]).toEqual([
		500n,
		500n,
		500n,
		3,
		3,
		3,
		9,
		9,
		9,
		1_000n,
		1_000n,
		1_000n,
	])
})

test('a slice from the middle begins at offset 0 and rebuilds into equal rows', () => {
	const builder = filled(
		Array.from({ length: 1_000 }, (_, at) => row(at % 3 === 0 ? null : 'x'.repeat(at % 90), String(at))),
	)
	const tail = builder.slice(700, 1_000)
	expect(tail.columns[0]?.offsets[0]).toBe(0)
	expect(cells(tail, 0)[0]).toBe('700')
	const again = new RowsBuilder(tail.table, tail).slice(0, 300)
	for (const column of [0, 1, 2]) expect(cells(again, column)).toEqual(cells(tail, column))
})

test('a copy of rows whose bytes begin before them goes on behind the last one', () => {
	const whole = filled(['aa', 'bb', 'cc', 'dd'].map((text, at) => row(text, String(at)))).slice(0, 4)
	const columns = whole.columns.map(({ bytes, offsets, present }) => ({
		bytes,
		offsets: offsets.subarray(1, 4),
		present: present.subarray(1, 3),
	}))
	const rows = { ...filled([row('bb', '1'), row('cc', '2')]).slice(0, 2), columns }
	const copy = new RowsBuilder(whole.table, rows)
	expect(copy.bytes).toBe(filled([row('bb', '1'), row('cc', '2')]).bytes)
	fill(copy, [row('zz', '9')])
	expect(cells(copy.slice(0, 3), 1)).toEqual(['bb', 'cc', 'zz'])
	expect(cells(copy.slice(0, 3), 0)).toEqual(['1', '2', '9'])
})

test('a row that turned out to be a move says so', () => {
	const builder = filled([row('a', '1'), row('b', '2')])
	builder.setOp(1, 'move')
	expect([...builder.slice(0, 2).op]).toEqual([0, 2])
})

test('refuses an old row whose toasted value was not sent', () => {
	expect(() => filled([row(undefined, '1')])).toThrow(/was not sent/)
})

function filled(rows: Buffer[]): RowsBuilder {
	return fill(new RowsBuilder({ columns: [{}, {}, {}] } as SourceTable), rows)
}

function fill(builder: RowsBuilder, rows: Buffer[]): RowsBuilder {
	const nothing = () => {}
	const decode = createDecoder({
		begin: nothing,
		commit: nothing,
		relation: nothing,
		insert: nothing,
		update: nothing,
		truncate: nothing,
		message: nothing,
		delete: (_relation, _image, old) => builder.append(old, Int16Array.of(1, 0, -1), origin),
	})
	for (const bytes of rows) decode(message('D', int32(7), 'O', bytes))
	return builder
}

function cells(rows: ChangeRows, column: number): (string | null)[] {
	const { bytes, offsets, present } = rows.columns[column] as TextColumn
	return Array.from({ length: rows.count }, (_, row) =>
		present[row] === 1 ? Buffer.from(bytes.subarray(offsets[row], offsets[row + 1])).toString() : null,
	)
}
