import { describe, expect, test } from 'vitest'
import { formatTableName, parseTableName } from './names.ts'

const names = [
	{ schema: 'public', name: 'orders' },
	{ schema: 'shop', name: 'orders' },
	{ schema: 'a.b', name: 'c' },
	{ schema: 'a', name: 'b.c' },
	{ schema: 'public', name: 'a.b' },
	{ schema: 'public', name: 'we"ird; drop table x' },
	{ schema: 'MiXed', name: 'ünï cöde' },
	{ schema: 'public', name: '"' },
	{ schema: 'ü'.repeat(31), name: 'x'.repeat(63) },
]

describe('table names', () => {
	test.each(names)('come back from their text: $schema $name', (name) => {
		expect(parseTableName(formatTableName(name))).toEqual(name)
	})

	test('of different tables never share a text', () => {
		expect(new Set(names.map(formatTableName)).size).toBe(names.length)
	})

	const long = 'x'.repeat(64)
	test.each(['', '.', 'a.', '.a', 'a.b.c', 'a..b', '"a', 'a"b', '"a"b', '""', long, `a.${long}`, 'ü'.repeat(32)])(
		'refuses %j',
		(text) => {
			expect(() => parseTableName(text)).toThrow(expect.objectContaining({ code: 'INVALID' }))
		},
	)
})
