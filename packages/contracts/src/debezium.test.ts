import { describe, expect, test } from 'vitest'
import { connectorConfig, typeVerdict, type WireType, wrongSettings } from './debezium.ts'

const address = {
	...{ name: 'shop', host: 'db', port: 5432, database: 'shop', user: 'reprieve_capture' },
	...{ prefix: 'reprieve.shop', slot: 'reprieve_5', replication: 3 },
}

describe('the connector', () => {
	test('that is printed has no finding', () => {
		const { config } = connectorConfig(address)
		expect(wrongSettings('shop', config, address)).toEqual([])
	})

	test('that is printed carries no password', () => {
		expect(connectorConfig(address).config['database.password']).toMatch(/^\$\{file:/)
	})

	test.each([
		['time.precision.mode', 'adaptive'],
		['decimal.handling.mode', 'precise'],
		['include.unknown.datatypes', 'false'],
		['provide.transaction.metadata', 'false'],
		['skipped.operations', 't'],
		['event.converting.failure.handling.mode', 'warn'],
		['publication.name', 'dbz_publication'],
		['slot.name', 'other'],
		['topic.prefix', 'other'],
		['slot.drop.on.stop', 'true'],
	])('is refused with %s=%s', (name, value) => {
		const { config } = connectorConfig(address)
		const [finding, ...more] = wrongSettings('shop', { ...config, [name]: value }, address)
		expect(more).toEqual([])
		expect(finding?.message).toContain(`${name} is ${value}`)
		expect(finding?.remedy).toContain(`Set ${name}=`)
	})

	test.each([
		'transforms',
		'table.include.list',
		'column.exclude.list',
		'column.mask.hash.SHA-256.with.salt.x',
		'converters',
	])('is refused with %s', (name) => {
		const { config } = connectorConfig(address)
		expect(wrongSettings('shop', { ...config, [name]: 'a' }, address)).toMatchObject([{ code: 'connectorSetting' }])
	})
})

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
		['varbit', 1562],
		['char', 18],
		['point', 600],
	])('%s is refused with a reason', (name, oid) => {
		expect(typeVerdict({ ...base, name, oid }).reason).toBeTruthy()
	})
})
