import { describe, expect, test } from 'vitest'
import { connectorConfig, wrongSettings } from './connector.ts'

const address = {
	...{ name: 'shop', host: 'db', port: 5432, database: 'shop', user: 'reprieve_capture' },
	...{ prefix: 'reprieve.shop', slot: 'reprieve_5', replication: 3, passwordFile: '/s.properties' },
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
		['driver.options', '-c bytea_output=escape'],
		['value.converter', 'io.confluent.connect.avro.AvroConverter'],
		['value.converter.replace.null.with.default', 'true'],
		['producer.override.compression.type', 'lz4'],
		['errors.tolerance', 'all'],
		['publish.via.partition.root', 'true'],
		['lsn.flush.mode', 'connector_and_driver'],
		['field.name.adjustment.mode', 'avro'],
		['internal.log.position.check.enable', 'false'],
	])('is refused with %s=%s', (name, value) => {
		const { config } = connectorConfig(address)
		const [finding, ...more] = wrongSettings('shop', { ...config, [name]: value }, address)
		expect(more).toEqual([])
		expect(finding?.message).toContain(`${name} is ${value}`)
		expect(finding?.remedy).toContain(`Set ${name}=`)
	})

	test.each(['driver.options', 'value.converter', 'value.converter.replace.null.with.default'])(
		'is refused without %s: what the worker or the server has instead is not known',
		(name) => {
			const { [name]: _, ...config } = connectorConfig(address).config
			expect(wrongSettings('shop', config, address)).toMatchObject([{ code: 'connectorSetting' }])
		},
	)

	test.each([
		'transforms',
		'slot.stream.params',
		'replica.identity.autoset.values',
		'table.include.list',
		'column.exclude.list',
		'column.mask.hash.SHA-256.with.salt.x',
		'converters',
	])('is refused with %s', (name) => {
		const { config } = connectorConfig(address)
		expect(wrongSettings('shop', { ...config, [name]: 'a' }, address)).toMatchObject([{ code: 'connectorSetting' }])
	})
})
