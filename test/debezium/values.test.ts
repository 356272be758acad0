import { createHash } from 'node:crypto'
import { typeVerdict } from '@reprieve/contracts'
import { readWireTable } from '@reprieve/postgres'
import { expect, test } from 'vitest'
import { archivedRows } from '../capture/ground.ts'
import { hasKafka } from '../support/kafka/shared.ts'
import { debeziumGround, publishToDebezium } from './ground.ts'

/** Every type that passes, with the values that facts show to be at risk. */
const passing: Record<string, string[]> = {
	bool: ['t', 'f'],
	int2: ['-32768'],
	int4: ['2147483647'],
	int8: ['9223372036854775807', '-9223372036854775808', '9007199254740993'],
	oid: ['4294967295'],
	numeric: [
		'1.10',
		'NaN',
		'Infinity',
		'-Infinity',
		'123456789012345678901234567890.123456789',
		'0.0000001',
		'1e40',
		'0e-12',
	],
	'numeric(10,2)': ['1234.50', 'NaN'],
	float8: [
		'NaN',
		'Infinity',
		'-Infinity',
		'5e-324',
		'1.7976931348623157e308',
		'-0',
		'0.1',
		'1e22',
		'123456789012345',
		'0.0001',
		'0.00001',
		'1e15',
	],
	float4: [
		'NaN',
		'-Infinity',
		'1.1754944e-38',
		'1e-45',
		'3.4028235e38',
		'0.1',
		'16777216',
		'1e10',
		'123456',
		'1234567',
		'0.3',
	],
	text: ['a\u0001é"\\\n\t😀', '', '__debezium_unavailable_value', 'NULL'],
	varchar: ['x '],
	'char(5)': ['ab'],
	name: ['nm'],
	uuid: ['a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11'],
	json: ['{"b":  1.10, "a":[1],"a":2}', 'null'],
	jsonb: ['{"a": 1.10, "big": 12345678901234567890123}', 'null', '"x"'],
	bytea: ['\\x00ff10', '\\x'],
	'bit(1)': ['1', '0'],
	'bit(5)': ['10110', '00000'],
	'bit(12)': ['000000000001', '100000000000', '101000000001'],
	date: [
		'2026-01-02',
		'infinity',
		'-infinity',
		'5874897-12-31',
		'4713-01-01 BC',
		'1582-10-10',
		'0001-01-01',
		'0001-12-31 BC',
	],
	timetz: ['23:59:59.999999+05:30', '24:00:00-15:59', '00:00:00+00', '12:00:00-08:15:30', '24:00:00+00'],
	timestamp: [
		'2026-01-02 03:04:05.123456',
		'infinity',
		'-infinity',
		'4713-01-01 00:00:00 BC',
		'294276-12-31 23:59:59.999999',
		'0044-03-15 12:00 BC',
		'1582-10-10 00:00',
		'0001-01-01 00:00',
	],
	'timestamp(3)': ['2026-01-02 03:04:05.123', 'infinity'],
	timestamptz: [
		'2026-01-02 03:04:05.123456+02',
		'infinity',
		'-infinity',
		'4713-01-01 00:00:00+00 BC',
		'294276-12-31 23:59:59.999999+00',
	],
	inet: ['192.168.0.1/24', '::1', '10.0.0.1'],
	cidr: ['10.0.0.0/8'],
	macaddr: ['08:00:2b:01:02:03'],
	macaddr8: ['08:00:2b:01:02:03:04:05'],
	int4range: ['[1,10)', 'empty', '(,)'],
	int8range: ['[1,9223372036854775807)'],
	numrange: ['(1.5,2.50]'],
	tsrange: ['[2026-01-01,)'],
	tstzrange: ['["2026-01-01 00:00:00+00",infinity]'],
	daterange: ['[2026-01-01,2026-02-01)'],
	int4multirange: ['{[1,3),[5,7)}'],
	tstzmultirange: ['{}'],
	tsvector: ["'cat':3A 'fat':2"],
	tsquery: ["'fat' & 'rat'"],
	xid8: ['18446744073709551615'],
	xid: ['77'],
	pg_lsn: ['16/B374D848'],
	jsonpath: ['$."a"'],
	'public.mood': ['ok', 'so "so"'],
	'public.posint': ['42'],
	'public.price': ['1.10', 'NaN'],
	'public.until': ['infinity'],
	'public.label': ['t'],
	'public.citext': ['CiT'],
	'public.ltree': ['a.b'],
	'public.hstore': ['a=>1,b=>NULL', '', '"q\\"x"=>"\\\\y", "longer"=>"", "é"=>"ü"'],
}

/** A type that does not pass for one value, which stops the connector; the others of it arrive. */
const arriving: [string, string[]] = ['time', ['23:59:59.999999', '00:00:00', '12:00:00.5']]

const failing: string[] = [
	'time',
	'interval',
	'money',
	'xml',
	'varbit',
	'text[]',
	'int4[]',
	'public.mood[]',
	'numeric(5,-2)',
	'point',
	'public.pair',
	'oidvector',
	'refcursor',
	'"char"',
	'public.numbers',
]

const types = `
	create extension hstore schema public; create extension citext schema public; create extension ltree schema public;
	create type public.mood as enum ('ok', 'so "so"'); create type public.pair as (a int, b text);
	create domain public.posint as int check (value > 0); create domain public.price as numeric(10, 2);
	create domain public.until as timestamp; create domain public.word as text; create domain public.label as public.word;
	create domain public.numbers as int[]`

/** Settings of a database that give other texts than the pinned ones. */
const hostile = {
	bytea_output: 'escape',
	datestyle: 'German, DMY',
	extra_float_digits: '-5',
	intervalstyle: 'sql_standard',
	timezone: 'Asia/Kolkata',
}

test.runIf(hasKafka)(
	'every value of every type that passes is the server text, byte for byte, whatever settings and defaults are there',
	async () => {
		await using ground = await debeziumGround()
		const { sql, vault } = ground
		await sql.unsafe(types).simple()
		for (const [name, value] of Object.entries(hostile)) {
			await sql.unsafe(`alter database "${ground.name}" set ${name} = '${value}'`)
		}
		const columns = [...Object.entries(passing), arriving].flatMap(([type, values]) =>
			values.map((value) => ({ type, value })),
		)
		const list = columns.map(({ type, value }, at) => `c${at} ${type} default $v$${value}$v$::${type}`)
		await sql.unsafe(
			`create table public.wide (id int primary key, twice int generated always as (id * 2) stored, ${list.join(', ')})`,
		)
		await ground.start()
		await publishToDebezium(ground, 'public.wide')
		await ground.connect()
		await sql`insert into public.wide (id) values (1)`
		const names = columns.map((_, at) => `c${at}`)
		await sql.unsafe(`insert into public.wide (id, ${names.join(', ')}) values (2${', null'.repeat(names.length)})`)
		// format() writes what the output function writes, as the stream does; a cast to text pads and completes otherwise.
		const texts = names.map((name) => `case when ${name} is not null then format('%s', ${name}) end as ${name}`)
		const expected = await sql.begin(async (tx) => {
			await tx`
				select set_config('bytea_output', 'hex', true), set_config('datestyle', 'ISO', true),
					set_config('extra_float_digits', '3', true), set_config('timezone', 'UTC', true)`
			return await tx.unsafe(`select id::text, ${texts.join(', ')} from public.wide order by id`)
		})
		expect(Object.values(expected[1] ?? {}).filter((value) => value !== null)).toEqual(['2'])
		await sql`delete from public.wide`
		await ground.barrier()
		const rows = await archivedRows(vault, 'wide')
		expect(rows).toHaveLength(2)
		for (const [place, row] of rows.entries()) {
			const { twice: _, ...found } = row.values
			expect(found).toEqual(expected[place])
		}
	},
)

test.runIf(hasKafka)('a row far beyond the limits that Kafka has by itself arrives', async () => {
	await using ground = await debeziumGround()
	const { sql, vault } = ground
	await sql`create table public.film (id int primary key, content bytea)`
	await sql`insert into public.film select 1, decode(repeat('00112233445566778899aabbccddeeff', 200000), 'hex')`
	const [before] = await sql`select md5(content::text) as digest from public.film`
	await ground.start()
	await publishToDebezium(ground, 'public.film')
	await ground.connect()
	await sql`delete from public.film`
	await ground.barrier()
	const [row] = await archivedRows(vault, 'film')
	const digest = createHash('md5').update(String(row?.values.content)).digest('hex')
	expect(digest).toBe(before?.digest)
})

test('the verdict refuses what loses values, and passes nothing else', async () => {
	await using ground = await debeziumGround({ brokers: [], url: 'http://127.0.0.1:1/' })
	const { sql } = ground
	await sql.unsafe(types).simple()
	const all = [...Object.keys(passing), ...failing]
	await sql.unsafe(`create table public.every (${all.map((type, place) => `c${place} ${type}`).join(', ')})`)
	const table = await readWireTable(sql, { schema: 'public', name: 'every' })
	const refused = table?.columns.filter(({ wire }) => typeVerdict(wire).reason !== undefined)
	expect(refused?.map(({ column }) => all[Number(column.slice(1))])).toEqual(failing)
})
