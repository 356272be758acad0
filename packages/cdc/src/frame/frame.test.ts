import type { ArchivedTransaction } from '@reprieve/contracts'
import { describe, expect, test } from 'vitest'
import { createFrameReader } from './decode.ts'
import { encodeFrame } from './encode.ts'
import { columnOf, key, meaningOf, rowsFrame, rowsOf, sentTransaction, transactionsFrame } from './fixture.ts'
import type { Frame, RowsFrame, TransactionsFrame } from './frame.ts'

const maxRecordBytes = 1 << 20

function through(frame: Frame): Frame | undefined {
	const [record, ...others] = encodeFrame(frame, { key, maxRecordBytes })
	expect(others).toEqual([])
	return createFrameReader({ key }).read(record as Uint8Array)
}

const long = 'x'.repeat(70_000)

describe('a rows frame comes back as it was', () => {
	test.each<[string, RowsFrame]>([
		[
			'with all bookkeeping at its ends',
			rowsFrame([
				['1', '2', '3', '4', '5'],
				[null, '', 'é', '\n', '\\'],
			]),
		],
		['with bytes that are no UTF-8', rowsFrame([[Buffer.of(0xff, 0xfe, 0), null, Buffer.of(0x0a)]])],
		[
			'with values of 0, 255, 256, 65535, 65536 bytes',
			rowsFrame([0, 255, 256, 65_535, 65_536].map((n) => [long.slice(0, n), 'a'])),
		],
		['without rows', rowsFrame([[], []])],
		['without columns', rowsFrame([], { count: 0 })],
		['of one row', rowsFrame([['1']])],
		['with NULL alone', rowsFrame([[null, null]])],
		['that is not complete', { ...rowsFrame([['1']]), isComplete: false }],
		['of one leaf', rowsFrame([['1', '2']], { leaf: ['only', 'only'] })],
		['of no partition', rowsFrame([['1', '2']], { leaf: [null, null], rewritten: [null, null] })],
		[
			'with rewritten names that JavaScript knows',
			rowsFrame([['1']], { rewritten: [JSON.parse('{"__proto__":"1","constructor":null}')] }),
		],
	])('%s', (_, frame) => {
		expect(meaningOf(through(frame) as RowsFrame)).toEqual(meaningOf(frame))
	})

	test('when its columns are slices from the middle of larger ones', () => {
		const rows = rowsOf([
			['1', '22', null],
			['a', '', 'c'],
		])
		const columns = [columnOf(['1', '22', null], 5, 3), columnOf(['a', '', 'c'], 1_000, 1)]
		const frame: RowsFrame = { ...rowsFrame([]), rows: { ...rows, columns } }
		expect(meaningOf(through(frame) as RowsFrame)).toEqual(meaningOf({ ...frame, rows }))
	})

	test('from a record anywhere in memory, with values that are views into it', () => {
		const frame = rowsFrame([
			['1', long.slice(0, 300), '3'],
			['a', null, 'c'],
		])
		const [record] = encodeFrame(frame, { key, maxRecordBytes }) as [Uint8Array]
		for (let shift = 0; shift < 8; shift++) {
			const batch = new Uint8Array(record.length + 16)
			batch.set(record, shift)
			const read = createFrameReader({ key }).read(batch.subarray(shift, shift + record.length)) as RowsFrame
			expect(meaningOf(read)).toEqual(meaningOf(frame))
			expect(read.rows.columns.map((column) => column.bytes.buffer)).toEqual([batch.buffer, batch.buffer])
			expect(read.rows.columns[0]?.bytes.buffer).toBe(batch.buffer)
		}
	})
})

test('a transactions frame comes back as it was', () => {
	expect(through(transactionsFrame)).toEqual(transactionsFrame)
	const empty: Frame = { ...transactionsFrame, transactions: [], isFinal: false, received: 0n }
	expect(through(empty)).toEqual(empty)
})

test('the counts of a table come back whatever its name', () => {
	const rows = JSON.parse('{"__proto__":{"deleted":1,"relinked":0},"constructor":{"deleted":2,"relinked":0}}')
	const archived = { ...(sentTransaction.archived as ArchivedTransaction), rows }
	const read = through({ ...transactionsFrame, transactions: [{ ...sentTransaction, archived }] }) as TransactionsFrame
	expect(JSON.stringify(read.transactions[0]?.archived?.rows)).toBe(JSON.stringify(rows))
})

test('the first two lines of a record are JSON, with 64-bit numbers as text', () => {
	const [record] = encodeFrame(rowsFrame([['1'], ['2']]), { key, maxRecordBytes, id: 'f1' }) as [Buffer]
	const [first, second] = record.toString('latin1').split('\n')
	expect(JSON.parse(first as string)).toMatchObject({
		format: 'reprieve.frame',
		version: 1,
		frame: 'f1',
		part: 1,
		parts: 1,
		kind: 'rows',
		topic: 'reprieve.public.orders',
		predecessor: { position: '18446744073709551615', ordinal: 4_294_967_295 },
	})
	expect(JSON.parse(second as string)).toMatchObject({ rows: 1, table: { columns: [{ name: 'c0' }, { name: 'c1' }] } })
})
