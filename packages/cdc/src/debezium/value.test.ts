import type { WireType } from '@reprieve/contracts'
import { expect, test } from 'vitest'
import { parseJson } from './json.ts'
import { Loss, valueText } from './value.ts'

const type = (oid: number, name: string, more: Partial<WireType> = {}): WireType => ({
	...{ oid, name, typmod: -1, kind: 'b', isArray: false, extension: null },
	...more,
})

const types = {
	int8: type(20, 'int8'),
	numeric: type(1700, 'numeric'),
	float8: type(701, 'float8'),
	float4: type(700, 'float4'),
	text: type(25, 'text'),
	bytea: type(17, 'bytea'),
	bit1: type(1560, 'bit', { typmod: 1 }),
	bit12: type(1560, 'bit', { typmod: 12 }),
	date: type(1082, 'date'),
	time: type(1083, 'time'),
	timetz: type(1266, 'timetz'),
	timestamp: type(1114, 'timestamp'),
	timestamptz: type(1184, 'timestamptz'),
	hstore: type(20_000, 'hstore', { extension: 'hstore' }),
	xid8: type(5069, 'xid8'),
	interval: type(1186, 'interval'),
	array: type(1009, '_text', { isArray: true }),
} as const

const special = (which: string) => `{"year":null,"month":null,"day":null,"hour":null,"specialValue":"${which}"}`
const day = '"year":2026,"month":1,"day":2'
const clock = '"hour":3,"minute":4,"second":5,"nanos":123456000,"precision":6'

/** As the connector wrote them (3.7.0, structured time, string numerics): each row was seen on a real server. */
test.each<[keyof typeof types, string, string | null]>([
	['int8', '9223372036854775807', '9223372036854775807'],
	['int8', '9007199254740993', '9007199254740993'],
	['int8', 'null', null],
	['numeric', '"1.10"', '1.10'],
	['numeric', '"NAN"', 'NaN'],
	['numeric', '"POSITIVE_INFINITY"', 'Infinity'],
	['numeric', '"NEGATIVE_INFINITY"', '-Infinity'],
	['numeric', '"1E-7"', '0.0000001'],
	['numeric', '"0E-12"', '0.000000000000'],
	['numeric', '"1E+40"', `1${'0'.repeat(40)}`],
	['numeric', '"-12.5E1"', '-125'],
	['float8', '4.9E-324', '5e-324'],
	['float8', '1.7976931348623157E308', '1.7976931348623157e+308'],
	['float8', '-0.0', '-0'],
	['float8', '1.0E22', '1e+22'],
	['float8', '123456.0', '123456'],
	['float8', '1.0E-4', '0.0001'],
	['float8', '1.0E-5', '1e-05'],
	['float8', '"NaN"', 'NaN'],
	['float8', '"-Infinity"', '-Infinity'],
	['float4', '1.17549435E-38', '1.1754944e-38'],
	['float4', '1.4E-45', '1e-45'],
	['float4', '1.6777216E7', '1.6777216e+07'],
	['float4', '0.1', '0.1'],
	['text', '"a\\u0001\\"\\\\\\n"', 'a\u0001"\\\n'],
	['bytea', '"AP8Q"', '\\x00ff10'],
	['bytea', '""', '\\x'],
	['bit1', 'true', '1'],
	['bit12', '"AQ=="', '000000000001'],
	['bit12', '"AQo="', '101000000001'],
	['date', `{${day},"specialValue":null}`, '2026-01-02'],
	['date', '{"year":0,"month":12,"day":31,"specialValue":null}', '0001-12-31 BC'],
	['date', '{"year":5874897,"month":12,"day":31,"specialValue":null}', '5874897-12-31'],
	['time', `{${clock}}`, '03:04:05.123456'],
	['timetz', `{${clock},"offsetSeconds":19800}`, '03:04:05.123456+05:30'],
	['timetz', `{${clock},"offsetSeconds":-29730}`, '03:04:05.123456-08:15:30'],
	['timestamp', `{${day},${clock},"specialValue":null}`, '2026-01-02 03:04:05.123456'],
	['timestamp', special('POSITIVE_INFINITY'), 'infinity'],
	['timestamptz', special('NEGATIVE_INFINITY'), '-infinity'],
	[
		'timestamptz',
		`{${day},${clock},"offsetSeconds":0,"zoneId":"Z","specialValue":null}`,
		'2026-01-02 03:04:05.123456+00',
	],
	['hstore', '"{\\"longer\\":\\"\\",\\"b\\":null,\\"a\\":\\"q\\\\\\"x\\"}"', '"a"=>"q\\"x", "b"=>NULL, "longer"=>""'],
	['xid8', '"MTg0NDY3NDQwNzM3MDk1NTE2MTU="', '18446744073709551615'],
])('%s %s is %s', (name, json, text) => {
	expect(valueText(parseJson(json), types[name])).toBe(text)
})

/** What other settings, or a type that changed meanwhile, would bring. */
test.each<[keyof typeof types, string]>([
	['int8', '"7"'],
	['int8', '1.5'],
	['numeric', '{"scale":2,"value":"AeI6"}'],
	['numeric', '1.1'],
	['float8', '"0.1"'],
	['bytea', '"00ff"'.replace('00ff', '0 ff')],
	['bit12', '"////"'],
	['date', '20455'],
	['date', '"2026-01-02Z"'],
	['time', '86399999999'],
	['timestamp', '9223372036854775807'],
	['timestamp', `{${day},${clock},"offsetSeconds":0,"specialValue":null}`],
	['timestamptz', '"2026-01-02T01:04:05.123456Z"'],
	['timestamptz', `{${day},${clock},"offsetSeconds":3600,"specialValue":null}`],
	['timestamptz', `{${day},${clock},"specialValue":null}`],
	['time', '{"hour":1,"minute":2,"second":3,"nanos":1,"precision":6}'],
	['hstore', '{"a":"1"}'],
	['interval', '"P0Y0M0DT0H0M0S"'],
	['array', '["a"]'],
])('%s %s is a loss, never a guess', (name, json) => {
	expect(valueText(parseJson(json), types[name])).toBeInstanceOf(Loss)
})

test.each(['{"a":1', '[1,]', '01', '"\\x"', '{"a" 1}', '1 2', '', 'nul', '"'])('%s is no JSON', (text) => {
	expect(() => parseJson(text)).toThrow('no JSON')
})

test('numbers beyond 2^53 and names in their order survive', () => {
	const parsed = parseJson('{"b": 9007199254740993, "a": [true, null, {"x": "\\\\\\""}]}')
	expect([...(parsed as Map<string, unknown>).keys()]).toEqual(['b', 'a'])
	expect((parsed as Map<string, unknown>).get('b')).toMatchObject({ text: '9007199254740993' })
})
