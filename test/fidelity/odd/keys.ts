import type { Odd } from './odd.ts'

const of = (what: string, name: string, columns: string, ...rows: string[]): Odd => ({
	what,
	table: name,
	make: [`create table public.${name} (${columns})`, ...rows.map((row) => `insert into public.${name} values ${row}`)],
})
const keyed = (type: string, name: string, ...values: string[]) =>
	of(
		`a key of type ${type}`,
		name,
		`k ${type} primary key, n int`,
		values.map((value, n) => `(${value}, ${n})`).join(', '),
	)

const many = Array.from({ length: 32 }, (_, at) => `k${at}`)

export const keysFirst = [
	`create collation public."odd ""case""" (provider = icu, locale = 'und-u-ks-level2', deterministic = false)`,
	`create type public.size as enum ('small', 'large')`,
	'create domain public.code as text check (value <> $$bad$$)',
	'create type public.place as (x int, y text)',
]

export const keys: Odd[] = [
	of(
		'a key of several types in another order than its columns',
		'composite_key',
		'a text, b int8, c date, note text, primary key (c, a, b)',
		`('x', 9007199254740993, 'infinity', 'n'), ('', 1, '0044-03-15 BC', null), (E'x\\n''"', 1, 'infinity', '')`,
	),
	of(
		'a key of 32 columns',
		'wide_key',
		`${many.map((name) => `${name} int`).join(', ')}, note text, primary key (${many.join(', ')})`,
		`(${many.map((_, at) => at).join(', ')}, 'a'), (${many.map((_, at) => -at).join(', ')}, 'b')`,
	),
	of(
		'a text key whose collation takes letters of any case for the same',
		'collated_key',
		`k text collate public."odd ""case""" primary key, n int`,
		`('Straße', 1), ('éclair', 2), ('E', 3)`,
	),
	keyed('text collate "C"', 'byte_order_key', "''", "' '", "E'\\\\'", "'é'", "'e\u0301'", `repeat('k', 2000)`),
	keyed('float8', 'float_key', "'-0'", "'NaN'", "'Infinity'", "'0.30000000000000004'", "'5e-324'"),
	keyed('numeric', 'numeric_key', "'1.00'", "'NaN'", "'-Infinity'", "'1e-100'"),
	keyed('uuid', 'uuid_key', "'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11'"),
	keyed('bytea', 'bytea_key', "'\\x'", "'\\x00'", "'\\xff5c'"),
	keyed('text[]', 'array_key', "'{}'", "'{NULL}'", `'{"NULL"}'`, "'[0:0]={a}'"),
	keyed('public.size', 'enum_key', "'small'", "'large'"),
	keyed('public.code', 'domain_key', "''", "'x'"),
	keyed('public.place', 'composite_type_key', `'(1,"a,b")'`, "'(,)'"),
	keyed('timestamptz', 'instant_key', "'infinity'", "'2024-03-31 02:30:00.000001+01'", "'4714-11-24 00:00:00Z BC'"),
	keyed('interval', 'interval_key', "'1 day'", "'-1 mon +3 days'", "'00:00:00.000001'"),
	keyed('char(4)', 'padded_key', "'a'", "''"),
	keyed('jsonb', 'jsonb_key', `'{"a": 1.0}'`, "'null'"),
	keyed('int4range', 'range_key', "'empty'", "'(,)'", "'[1,2)'"),
	keyed('public.citext', 'citext_key', "'MiXed'", "''"),
	keyed('inet', 'inet_key', "'10.1.2.3/8'", "'::1'"),
	keyed('bit varying', 'bits_key', "''", "'0'", "'00'"),
	keyed('"char"', 'byte_key', "''", "'\\377'", "'a'"),
	keyed('name', 'name_key', `'a"b'`),
	keyed('money', 'money_key', "'-1.00'"),
	keyed('timetz', 'timetz_key', "'24:00:00+05:45'", "'00:00:00-15:59:59'"),
]
