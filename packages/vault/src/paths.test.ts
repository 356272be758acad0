import { expect, test } from 'vitest'
import { decodePart, encodePart, ownFolder, tableFolder } from './paths.ts'

test('distinct names stay distinct and come back', () => {
	const names = ['orders', 'Orders', 'a.b', 'a~2Eb', 'a/b', '..', '_transactions', 'Ünï', '😀', '%41', ' ', 'a-b_c']
	const parts = names.map(encodePart)
	expect(new Set(parts).size).toBe(names.length)
	expect(parts.map(decodePart)).toEqual(names)
	for (const part of parts) expect(part).toMatch(/^[A-Za-z0-9~-][A-Za-z0-9_~-]*$/)
})

test('no schema has the name of a folder of the vault itself', () => {
	expect(tableFolder('shop', { schema: '_transactions', name: '_delta_log' })).toBe('shop/~5Ftransactions/~5Fdelta_log')
	expect(ownFolder('shop', 'transactions')).toBe('shop/_transactions')
})
