import { expect, test } from 'vitest'
import { cellsOf } from '../segment/cells.ts'
import { boundsOf, extremesOf } from './bounds.ts'
import type { DeltaType } from './codec.ts'
import { codecOf } from './types.ts'

const cases: [DeltaType, cells: (string | null)[], bounds: [min: string, max: string] | undefined][] = [
	['boolean', ['t', null, 't'], ['true', 'true']],
	['boolean', ['f', 't', null], ['false', 'true']],
	['short', ['-3', '7', null, '2'], ['-3', '7']],
	['integer', [null, '-2147483648', '2147483647'], ['-2147483648', '2147483647']],
	[
		'long',
		['9007199254740993', '-9223372036854775808', '9007199254740992'],
		['-9223372036854775808', '9007199254740993'],
	],
	['float', ['1.5', '-0.25', 'NaN'], ['-0.25', '1.5']],
	['double', ['1e+300', '-1e-300', null], ['-1e-300', '1e+300']],
	['string', ['b', null, 'aé', 'a'], ['"a"', '"b"']],
	['date', ['2024-02-29', '0001-01-01', 'infinity'], ['"0001-01-01"', '"2024-02-29"']],
	[
		'timestamp',
		['2024-02-29 12:00:00.1+00', '1969-12-31 23:59:59+00'],
		['"1969-12-31T23:59:59.000000Z"', '"2024-02-29T12:00:00.100000Z"'],
	],
	['decimal(9,2)', ['-1.50', '-1.49', 'NaN', '-0.01'], ['-1.50', '-0.01']],
	[
		'decimal(38,0)',
		['18446744073709551616', '-18446744073709551617', '-18446744073709551616'],
		['-18446744073709551617', '18446744073709551616'],
	],
	['binary', ['\\x00', '\\x01'], undefined],
	['long', [null, null], undefined],
]

test.each(cases)('bounds of %s %j', (type, cells, bounds) => {
	const { data, nullCount } = codecOf(type).encode(cellsOf(cells), 0, cells.length)
	const part = { from: 0, to: cells.length, isFull: nullCount === 0 }
	expect(boundsOf(data, extremesOf(data, part))).toEqual(bounds && { min: bounds[0], max: bounds[1] })
})
