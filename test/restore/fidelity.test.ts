import { expect, test } from 'vitest'
import { differences, keep, openScene, restore, type Scene } from './scene.ts'

const values: Record<string, string[]> = {
	bool: ["'t'", "'f'", 'null'],
	int2: ["'-32768'", "'32767'"],
	int4: ["'-2147483648'"],
	int8: ["'9223372036854775807'", "'9007199254740993'"],
	numeric: ["'NaN'", "'Infinity'", "'-Infinity'", "'1.0000'", "'0.000000000000000000000000000001'", "'1e300'"],
	'numeric(10,2)': ["'1.10'", "'-0.01'"],
	float4: ["'-0'", "'NaN'", "'1e-45'", "'Infinity'"],
	float8: ["'-0'", "'NaN'", "'5e-324'", "'0.1'", "'1.7976931348623157e308'"],
	money: ["'$12.34'", "'-$0.01'"],
	text: ["''", "'NULL'", "E'\\\\N'", "E'a\\tb\\nc\\rd\\\\e'", "'naïve 🎉'", 'null'],
	varchar: ["''", "'x'"],
	'varchar(3)': ["'abc'"],
	'char(5)': ["'a'", "'ab   '"],
	bpchar: ["'a  '"],
	name: ["'pg'"],
	'"char"': ["'x'", "''", "'\\377'"],
	bytea: ["'\\x'", "'\\x00ff5c0a'"],
	date: ["'infinity'", "'-infinity'", "'0044-03-15 BC'", "'5874897-12-31'"],
	time: ["'24:00:00'", "'00:00:00.000001'"],
	timetz: ["'23:59:59.999999-15:59:59'", "'24:00:00+05:45'"],
	timestamp: ["'infinity'", "'4713-01-01 00:00:00 BC'", "'294276-12-31 23:59:59.999999'"],
	timestamptz: ["'-infinity'", "'2024-03-31 02:30:00.000001+01'"],
	interval: ["'-1 days +02:03:00'", "'178000000 years'", "'1 mon -1 day 00:00:00.000001'"],
	uuid: ["'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11'"],
	inet: ["'10.1.2.3/8'", "'::ffff:1.2.3.4'"],
	cidr: ["'10.0.0.0/8'"],
	macaddr: ["'08:00:2b:01:02:03'"],
	macaddr8: ["'08:00:2b:01:02:03:04:05'"],
	json: [`'{"a": 1,  "a":2}'`, `'[1.0, 1e2]'`],
	jsonb: [`'{"b":1.00,"a":null}'`, "'null'"],
	jsonpath: [`'$.a[*] ? (@ > 1)'`],
	'bit(3)': ["'101'"],
	varbit: ["''", "'1011'"],
	point: ["'(NaN,-0)'", "'(1e300,1e-300)'"],
	line: ["'{1,-1,0}'"],
	lseg: ["'[(0,0),(1,1)]'"],
	box: ["'(1,1),(0,0)'"],
	path: ["'[(0,0),(1,1)]'", "'((0,0),(1,1))'"],
	polygon: ["'((0,0),(1,1),(1,0))'"],
	circle: ["'<(0,0),1.5>'"],
	tsvector: ["'a:1A fat:2B,4C'", `'''it''''s'':1'`],
	tsquery: ["'fat & (rat | !cat:ab)'"],
	int4range: ["'empty'", "'[1,10)'", "'(,)'"],
	numrange: ["'[1.10,NaN]'", "'(,5.0]'"],
	tstzrange: ["'[2020-01-01 00:00+02,infinity]'"],
	int8multirange: ["'{}'", "'{[1,3),[5,7)}'"],
	'int4[]': ["'{}'", "'{1,NULL,3}'", "'[0:1]={1,2}'", "'{{1,2},{3,4}}'"],
	'text[]': [`'{"",NULL,"NULL","a,b","c\\"d"}'`],
	'float8[]': ["'{NaN,-0}'"],
	'timestamptz[]': ["'{infinity,NULL}'"],
	pg_lsn: ["'16/B374D848'"],
	xid: ["'4294967295'"],
	xid8: ["'18446744073709551615'"],
	tid: ["'(0,1)'"],
	txid_snapshot: ["'10:20:10,14,15'"],
	regclass: ["'pg_catalog.pg_class'"],
	oid: ["'4294967295'"],
	'public.mood': ["'so so'", "'it''s'"],
	'public.short': ["'abc'"],
	'public.pair': [`'(1,"a,b")'`, "'(,)'", 'row(null,null)::public.pair'],
	'public.pair[]': [`'{"(1,\\"a \\")",NULL}'`],
	'public.float_range': ["'[0.1,Infinity)'"],
}

test('every built-in type and every hostile value comes back with the same image', async () => {
	await using scene = await openScene()
	await restoreEverything(scene, async () => {})
	expect(await scene.sql`select from reprieve.restored_rows`).toEqual([])
})

test('every such value also comes back through stages, as where triggers are kept from firing', async () => {
	await using scene = await openScene()
	const rows = await restoreEverything(scene, async (sql) => {
		await sql.unsafe(`create function public.clear() returns trigger language plpgsql as 'begin return null; end';
			create trigger clear before insert on public.everything for each row execute function public.clear();
			alter table public.everything enable always trigger clear`)
	})
	expect(await scene.sql`select from reprieve.restored_rows`).toHaveLength(rows)
})

/** Deletes and restores a row for each value of the type that has most; answers how many. */
async function restoreEverything(scene: Scene, before: (sql: Scene['sql']) => Promise<void>): Promise<number> {
	const { sql, vault } = scene
	await sql`create type public.mood as enum ('so so', 'it''s')`
	await sql`create domain public.short as varchar(3) check (value <> 'zzz')`
	await sql`create type public.pair as (a int, b text)`
	await sql`create type public.float_range as range (subtype = float8)`
	const types = Object.keys(values)
	await sql.unsafe(
		`create table public.everything (id int primary key, ${types.map((type, i) => `c${i} ${type}`).join(', ')})`,
	)
	const most = Math.max(...Object.values(values).map((of) => of.length))
	for (let row = 0; row < most; row++) {
		const cells = types.map((type) => (values[type]?.[row] === undefined ? 'null' : `${values[type][row]}::${type}`))
		await sql.unsafe(`insert into public.everything values (${row}, ${cells.join(', ')})`)
	}
	await keep(sql, 'everything')
	await before(sql)
	const position = await vault.deleteRows(sql, 'everything', 'true')
	const done = await restore(scene, { selection: { transaction: `1-${position.toString(16).padStart(16, '0')}` } })
	expect(done).toMatchObject({ status: 'succeeded', restored: most, verified: most, conflicts: 0 })
	expect(await differences(sql, 'everything', ['id'])).toEqual([])
	return most
}

test('a NaN of other payload and an unused null bitmap count as equal', async () => {
	await using scene = await openScene()
	const { sql, vault } = scene
	await sql`create table public.odd (id int primary key, f float8, a int[])`
	await sql`insert into public.odd values (1, -'NaN'::float8, (array[1, null, 2])[1:1] || array[2])`
	const position = await vault.archiveRows(sql, 'odd', 'true')
	const done = await restore(scene, { selection: { transaction: `1-${position.toString(16).padStart(16, '0')}` } })
	expect(done).toMatchObject({ status: 'succeeded', identical: 1 })
})
