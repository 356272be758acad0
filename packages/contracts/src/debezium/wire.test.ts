import { describe, expect, test } from 'vitest'
import { typeVerdict, type WireType } from './wire.ts'

describe('a type', () => {
	const base: WireType = { oid: 25, typmod: -1, kind: 'b', name: 'text', isArray: false, extension: null }

	test('of an extension passes by name only when that extension brought it', () => {
		const hstore = { ...base, oid: 20_000, name: 'hstore' }
		expect(typeVerdict({ ...hstore, extension: 'hstore' }).form).toBe('hstore')
		expect(typeVerdict(hstore).reason).toBeDefined()
		expect(typeVerdict({ ...hstore, name: 'geometry', extension: 'postgis' }).reason).toBeDefined()
	})

	test('numeric passes unless its scale is negative', () => {
		const numeric = { ...base, oid: 1700, name: 'numeric' }
		expect(typeVerdict(numeric).form).toBe('numeric')
		expect(typeVerdict({ ...numeric, typmod: ((10 << 16) | 2) + 4 }).form).toBe('numeric')
		expect(typeVerdict({ ...numeric, typmod: ((5 << 16) | (-2 & 0x7ff)) + 4 }).reason).toBeDefined()
	})

	test.each([
		['interval', 1186],
		['money', 790],
		['xml', 142],
		['time', 1083],
		['varbit', 1562],
		['char', 18],
		['point', 600],
	])('%s is refused with a reason', (name, oid) => {
		expect(typeVerdict({ ...base, name, oid }).reason).toBeTruthy()
	})

	test('time does not pass, but what arrives of it can be read', () => {
		expect(typeVerdict({ ...base, name: 'time', oid: 1083 })).toEqual({ form: 'time', reason: expect.any(String) })
	})
})
