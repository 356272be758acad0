import { createHash } from 'node:crypto'
import type { ChangeRows } from '@reprieve/contracts'
import { expect, test } from 'vitest'
import { openPlaces } from './places.ts'

type Place = [timeline: number, position: bigint, ordinal: number]

function added(...chunks: Place[][]): Buffer | undefined {
	const places = openPlaces()
	for (const chunk of chunks) {
		const rows = {
			count: chunk.length,
			position: BigUint64Array.from(chunk, ([, position]) => position),
			ordinal: Uint32Array.from(chunk, ([, , ordinal]) => ordinal),
		} as ChangeRows
		places.add(rows, [...chunk.keys()], (row) => chunk[row]?.[0] ?? 0)
	}
	return places.digest()
}

test('places in order are hashed as the server sends them, however they come in chunks', () => {
	const bytes = Buffer.from(
		`00000001000000000000001000000000fffffffe${'00000002000000000000001000000000000000ff'}${'00000001ffffffffffffff000000000000000000'}`,
		'hex',
	)
	const places: Place[] = [
		[1, 0x10n, 0xfffffffe],
		[2, 0x10n, 0xff],
		[1, 0xffffffffffffff00n, 0],
	]
	const expected = createHash('sha256').update(bytes).digest()
	expect(added(places)).toEqual(expected)
	expect(added(places.slice(0, 1), places.slice(1))).toEqual(expected)
})

test.each<[string, Place[][]]>([
	['at a position before', [[[1, 2n, 0]], [[1, 1n, 1]]]],
	[
		'on a timeline before',
		[
			[
				[2, 1n, 0],
				[1, 1n, 1],
			],
		],
	],
	[
		'at an ordinal before',
		[
			[
				[1, 1n, 1],
				[1, 1n, 0],
			],
		],
	],
	['at the same place', [[[1, 1n, 1]], [[1, 1n, 1]]]],
])('a row %s leaves no digest', (_, chunks) => {
	expect(added(...chunks)).toBeUndefined()
	expect(added(...chunks, [[9, 9n, 9]])).toBeUndefined()
})

test('rows that went again leave no digest', () => {
	const places = openPlaces()
	places.forget()
	expect(places.digest()).toBeUndefined()
})
