import { expect, test } from 'vitest'
import type { DeltaType } from '../values/codec.ts'
import { codecOf } from '../values/types.ts'
import { cellsOf } from './cells.ts'
import { orderRows } from './order.ts'

const column = (type: DeltaType, cells: readonly (string | null)[]) =>
	codecOf(type).encode(cellsOf([...cells]), 0, cells.length).data

/** Cells in order; NULL comes last. */
const cases: [DeltaType, string[]][] = [
	['boolean', ['f', 't']],
	['short', ['-3', '0', '7']],
	['long', ['-9223372036854775808', '-1', '0', '9007199254740992', '9007199254740993', '9223372036854775807']],
	['double', ['-1e+300', '-0.5', '0', '1e-300', '2']],
	['date', ['0001-01-01', '1969-12-31', '1970-01-01']],
	['timestamp', ['1969-12-31 23:59:59.999999+00', '2024-01-01 00:00:00+00', '2024-01-01 00:00:00.000001+00']],
	['string', ['', 'a', 'a\u0001', 'common b', 'common c', 'common cc', 'é', '\u{10FFFF}']],
	['binary', ['\\x', '\\x00', '\\x0000', '\\x00000000000000', '\\x00000000000001', '\\xff']],
	['decimal(9,2)', ['-1.50', '-0.01', '0.00', '3.00']],
	['decimal(18,0)', ['-999999999999999999', '-999999999999999998', '999999999999999999']],
	[
		'decimal(38,0)',
		[
			'-36893488147419103232',
			'-18446744073709551617',
			'-1',
			'0',
			'4294967296',
			'18446744073709551616',
			'36893488147419103232',
		],
	],
]

test.each(cases)('rows are sorted by a column of type %s', (type, sorted) => {
	const cells = Array.from(
		{ length: 1_000 },
		(_, row) => [...sorted, null][(row * 7_919) % (sorted.length + 1)] ?? null,
	)
	const order = orderRows([column(type, cells)], cells.length)
	const rank = (cell: string | null) => (cell === null ? sorted.length : sorted.indexOf(cell))
	const expected = cells.map((cell, row) => ({ cell, row })).sort((a, b) => rank(a.cell) - rank(b.cell))
	expect([...order]).toEqual(expected.map(({ row }) => row))
})

test('rows that one column does not tell apart are sorted by the next', () => {
	const [first, second] = [
		['b', 'a', null, 'a', 'b', null],
		['1', '2', '4', '1', '0', '3'],
	] as const
	expect([...orderRows([column('string', first), column('long', second)], 6)]).toEqual([3, 1, 4, 0, 5, 2])
})
