import type { Template } from './schema.ts'

/** A column type with values that are a function of the row's number. */
export type ValueKind = { type: string; value: Template }

/** Types whose values are different for every row, fit for keys. */
export const keyKinds: readonly ValueKind[] = [
	{ type: 'int4', value: '($g)::int4' },
	{ type: 'int8', value: '(9007199254740993 + $g)::int8' },
	{ type: 'int2', value: '($g)::int2' },
	{ type: 'uuid', value: 'md5(($g)::text)::uuid' },
	{ type: 'text', value: "('Key ' || ($g) || ' ü''\"')::text" },
	{ type: 'varchar(40)', value: "('k' || ($g))::varchar(40)" },
	{ type: 'char(12)', value: "('c' || ($g))::char(12)" },
	{ type: 'numeric', value: '(($g)::numeric / 4)' },
	{ type: 'numeric(20,5)', value: '(($g)::numeric(20,5) * 1.5)::numeric(20,5)' },
	{ type: 'date', value: "(date '0044-03-15 BC' + ($g)::int)" },
	{ type: 'timestamptz', value: "(timestamptz '1999-12-31 23:59:59.999999Z' + ($g) * interval '1 hour')" },
	{ type: 'timestamp', value: "(timestamp '2000-01-01' - ($g) * interval '1 day')" },
	{ type: 'bytea', value: "decode(md5(($g)::text), 'hex')" },
	{ type: 'inet', value: "(inet '10.0.0.0' + ($g))" },
	{ type: 'float8', value: '(($g)::float8 / 3)' },
	{ type: 'generated_types.small', value: '($g)::generated_types.small' },
	{ type: 'interval', value: "(($g) * interval '1 minute')" },
]

/** Every other type with an exact text form: values repeat, are odd, are NULL. */
export const plainKinds: readonly ValueKind[] = [
	...keyKinds,
	{ type: 'bool', value: '(($g) % 2 = 0)' },
	{ type: 'float4', value: "(array['NaN','-0','Infinity','1e-45','3.4028235e38','0.1'])[1 + ($g) % 6]::float4" },
	{ type: 'float8', value: "(array['-Infinity','-0','5e-324','0.30000000000000004','NaN'])[1 + ($g) % 5]::float8" },
	{
		type: 'numeric',
		value: "(array['NaN','Infinity','-0.000','1e100','12345678901234567890.123456789'])[1 + ($g) % 5]::numeric",
	},
	{ type: 'money', value: '(($g) * 1.01)::numeric::money' },
	{
		type: 'text',
		value: "(array['', ' ', E'tab\\there', E'line\\nfeed', E'back\\\\slash', 'NULL', '\\N', '🂡 ünï'])[1 + ($g) % 8]",
	},
	{ type: 'text', value: "repeat('long ' || ($g), 600)" },
	{ type: 'name', value: "('n' || ($g))::name" },
	{ type: '"char"', value: 'chr(65 + ($g)::int % 26)::"char"' },
	{ type: 'bytea', value: "(array['\\x', '\\x00', '\\x5c', '\\xff00ff'])[1 + ($g) % 4]::bytea" },
	{ type: 'date', value: "(array['infinity', '-infinity', '4713-01-01 BC', '5874897-12-31'])[1 + ($g) % 4]::date" },
	{ type: 'time', value: "(time '24:00:00')" },
	{ type: 'time(3)', value: "(time '00:00:00.001' + ($g) * interval '1 second')::time(3)" },
	{ type: 'timetz', value: "(array['23:59:60-15:59', '00:00+05:30', '12:34:56.789+00'])[1 + ($g) % 3]::timetz" },
	{
		type: 'timestamp',
		value: "(array['infinity', '0001-01-01 BC', '294276-12-31 23:59:59.999999'])[1 + ($g) % 3]::timestamp",
	},
	{
		type: 'timestamptz',
		value: "(array['-infinity', '1883-11-18 12:00:00Z', '2024-02-29 00:00:00+13'])[1 + ($g) % 3]::timestamptz",
	},
	{
		type: 'interval',
		value: "(array['-1 days +02:03:00', '1 mon -1 day', '178000000 years'])[1 + ($g) % 3]::interval",
	},
	{ type: 'cidr', value: "(array['192.168.0.0/16', '::/0', '2001:db8::/32'])[1 + ($g) % 3]::cidr" },
	{ type: 'macaddr', value: "'08:00:2b:01:02:03'::macaddr" },
	{ type: 'macaddr8', value: "'08:00:2b:01:02:03:04:05'::macaddr8" },
	{ type: 'json', value: '(\'{"a" :  \' || ($g) || \', "a":1}\')::json' },
	{ type: 'jsonb', value: "jsonb_build_object('g', ($g), 'n', null, 'x', '\"')" },
	{ type: 'jsonpath', value: "'$.a[*] ? (@ > 1)'::jsonpath" },
	{ type: 'bit(9)', value: '(($g)::int % 512)::bit(9)' },
	{ type: 'varbit', value: "(array[B'', B'1', B'0101'])[1 + ($g) % 3]::varbit" },
	{ type: 'point', value: "point(($g)::float8 / 3, '-0')" },
	{ type: 'line', value: "'{1,-1,0.1}'::line" },
	{ type: 'lseg', value: "'[(0,0),(1,1e-300)]'::lseg" },
	{ type: 'box', value: "'(1,2),(3,4)'::box" },
	{ type: 'path', value: "(array['[(0,0),(1,1)]', '((0,0),(1,1))'])[1 + ($g) % 2]::path" },
	{ type: 'polygon', value: "'((0,0),(1,1),(2,0))'::polygon" },
	{ type: 'circle', value: "'<(0,0),1.5>'::circle" },
	{ type: 'tsvector', value: "to_tsvector('simple', 'a fat cat ' || ($g))" },
	{ type: 'tsquery', value: "'fat & !rat:ab*'::tsquery" },
	{ type: 'int4range', value: "(array['empty', '(,)', '[1,5)', '(,3]'])[1 + ($g) % 4]::int4range" },
	{ type: 'numrange', value: 'numrange(($g)::numeric / 7, null)' },
	{ type: 'tstzrange', value: "tstzrange('2024-01-01Z', 'infinity', '[]')" },
	{ type: 'daterange', value: "daterange('-infinity', '2024-01-01')" },
	{ type: 'int8multirange', value: "'{[1,2), [5,9)}'::int8multirange" },
	{ type: 'int4[]', value: "(array['[0:1]={1,2}', '{}', '{NULL,1}', '{{1,2},{3,4}}'])[1 + ($g) % 4]::int4[]" },
	{ type: 'text[]', value: "array['NULL', null, '', 'a,b', '\"', '\\']::text[]" },
	{ type: 'timestamptz[]', value: "array['infinity', null]::timestamptz[]" },
	{ type: 'numeric(6,2)[]', value: 'array[($g)::numeric / 8, 0.5]::numeric(6,2)[]' },
	{ type: 'pg_lsn', value: "'16/B374D848'::pg_lsn" },
	{ type: 'xid8', value: "'123456789012'::xid8" },
	{ type: 'tid', value: "'(1,2)'::tid" },
	{ type: 'oid', value: '(4000000000 + $g)::oid' },
	{ type: 'pg_snapshot', value: "'10:20:10,14'::pg_snapshot" },
	{
		type: 'generated_types.mood',
		value: "(array['sad', 'ok, so', 'hap\"py', ''])[1 + ($g) % 4]::generated_types.mood",
	},
	{ type: 'generated_types.mood[]', value: "array['sad', null]::generated_types.mood[]" },
	{ type: 'generated_types.pair', value: "row(($g), 'b\"(,) ' || ($g))::generated_types.pair" },
	{ type: 'generated_types.pair', value: 'row(null, null)::generated_types.pair' },
	{ type: 'generated_types.pair[]', value: 'array[row(1, null)::generated_types.pair, null]' },
	{
		type: 'generated_types.nested',
		value: "row(row(1, 'x')::generated_types.pair, array['a', null])::generated_types.nested",
	},
	{ type: 'generated_types.span', value: 'generated_types.span(($g)::float8, null)' },
]

/** What the user's types of every generated database are made by. */
export const typeStatements: readonly string[] = [
	'create schema generated_types',
	`create type generated_types.mood as enum ('sad', 'ok, so', 'hap"py', '')`,
	'create domain generated_types.small as int8 check (value > -100)',
	'create type generated_types.pair as (a int4, "B b" text)',
	'create type generated_types.nested as (p generated_types.pair, list text[])',
	'create type generated_types.span as range (subtype = float8)',
]
