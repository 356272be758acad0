import { expect, test } from 'vitest'
import { archivedRows, captureGround, publish } from './ground.ts'

const nasty: [type: string, ...literals: string[]][] = [
	['boolean', 'true', 'false'],
	['int8', '9223372036854775807', '-9223372036854775808'],
	['numeric', "'NaN'", "'-Infinity'", '1.50000', '123456789012345678901234567890.000000001'],
	['numeric(12,4)', '1.5', '-0.0001', "'NaN'"],
	['float8', "'-0'", "'NaN'", "'Infinity'", '0.1::float8 + 0.2::float8', '5e-324'],
	['float4', '1.17549435e-38', "'-Infinity'"],
	['money', '-1234567.89'],
	['text', "E'\\t\\n\\\\ \\'\"'", "''", "repeat('ß', 100000)"],
	['char(5)', "'ab'"],
	['varchar(7)', "'x  '"],
	['bytea', "'\\x00ff5c'", "''"],
	['date', "'infinity'", "'0044-03-15 BC'", "'5874897-12-31'"],
	['time', "'24:00:00'"],
	['timetz', "'24:00:00-15:59:59'"],
	['timestamp', "'-infinity'", "'0001-01-01 BC'", "'294276-12-31 23:59:59.999999'"],
	['timestamptz', "'infinity'", "'2024-03-31 01:30:00.000001+02'"],
	['interval', "'-1 days +02:03:00'", "'1 year -2 mons'", "'-178000000 years'"],
	['uuid', "'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11'"],
	['inet', "'::ffff:1.2.3.4/100'"],
	['cidr', "'10.0.0.0/8'"],
	['macaddr8', "'08:00:2b:01:02:03:04:05'"],
	['json', '\'{"a":1,  "a":2.00}\''],
	['jsonb', '\'{"b":[1.00,null],"a":"\\u0007"}\''],
	['bit(4)', "B'1010'"],
	['varbit', "B''", "B'10'"],
	['point', "'(1.5,-0)'"],
	['polygon', "'((0,0),(1,1),(1,0))'"],
	['tsvector', "'''it''''s'':1A fat:2,3B'"],
	['int4range', "'empty'", "'[1,)'"],
	['nummultirange', "'{[1.0,2),(3,)}'"],
	['int4[]', "'{}'", "'[0:1]={1,NULL}'", "'{{1,2},{3,4}}'"],
	['text[]', "array['NULL', null, '', 'a,\"b\\']"],
	['public.mood', '\'sad, "very"\''],
	['public.positive', '7'],
	['public.pair', "row(1, 'x,\"y')"],
]

test('archives every value as the text that PostgreSQL itself gives, whatever the settings of database and role', async () => {
	await using ground = await captureGround()
	const { sql, vault, name } = ground
	await sql`create type public.mood as enum ('sad, "very"', 'ok')`
	await sql`create domain public.positive as int check (value > 0)`
	await sql`create type public.pair as (a int, b text)`
	for (const setting of [
		"datestyle = 'SQL, DMY'",
		'intervalstyle = sql_standard',
		'bytea_output = escape',
		'extra_float_digits = -10',
		"timezone = 'America/New_York'",
	]) {
		await sql.unsafe(`alter database ${name} set ${setting}`)
	}
	const columns = nasty.map(([type], at) => `c${at} ${type}`).join(', ')
	await sql.unsafe(`create table public.t (id int primary key, ${columns})`)
	const rows = Math.max(...nasty.map((column) => column.length - 1))
	for (let row = 0; row < rows; row++) {
		const values = nasty.map(([, ...literals]) => literals[row] ?? 'null')
		await sql.unsafe(`insert into public.t values (${row}, ${values.join(', ')})`)
	}
	await sql`insert into public.t (id) values (99)`
	const names = ['id', ...nasty.map((_, at) => `c${at}`)]
	// format() gives the output function's text; a cast to text says true for t and trims char(n).
	const before = await sql.unsafe(
		`select ${names.map((name) => `case when ${name} is not null or ${name}::text is not null then format('%s', ${name}) end as ${name}`).join(', ')} from public.t order by id`,
	)
	await ground.start()
	await publish(ground, 'public.t')
	await sql`delete from public.t`
	await ground.barrier()
	expect((await archivedRows(vault, 't')).map((row) => row.values)).toEqual(before.map((row) => ({ ...row })))
})
