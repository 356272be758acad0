import { pino } from 'pino'
import { expect, test } from 'vitest'
import { restore } from '../restore/captured.ts'
import { testServices } from '../support/services.ts'
import { archivedRows, captureGround, publish } from './ground.ts'

/** Values whose binary form is another than their text, and some that come as text also then. */
const values = [
	...[
		'1',
		'true',
		"'a\\b'::text",
		'12345678901',
		'1.50',
		"'NaN'::numeric",
		'0.1::float8',
		"'-0'::float4",
		"'12.34'::money",
	],
	...["'ab '::char(5)", `'x'::"char"`, "'infinity'::timestamptz", "'2024-02-29 12:00:00.123456+05'::timestamptz"],
	...["'1 mon -2 days 03:04:05.6'::interval", "'0044-03-15 BC'::date", "'10.0.0.0/8'::cidr", "'10.0.0.1'::inet"],
	...[`'{"a": [1, null]}'::jsonb`, `'{"b" :1}'::json`, "'<a>b</a>'::xml", "'pg_class'::regclass", 'int4range(1, 5)'],
	...[`array['x', null, 'NULL', 'a"b']`, "'[2:3]={1,2}'::int4[]", "b'10110'", "'a b'::tsvector", "'\\x00ff'::bytea"],
	...["row(1, 'p q')::public.pair", "'sad'::public.mood", "'\\x00ff'::public.blob", "'e'::public.word"],
	...["array['sad']::public.mood[]", 'null::int8', "'=r/pg_monitor'::aclitem", "''::text", "'{}'::int4[]"],
]

test('a transaction with a value too long for text is read in binary, and every value of it is archived as its text and comes back', async () => {
	await using ground = await captureGround()
	const { sql, vault } = ground
	await sql`create type public.pair as (a int, b text)`
	await sql`create type public.mood as enum ('sad', 'gay')`
	await sql`create domain public.blob as bytea check (value <> ''::bytea)`
	await sql`create domain public.word as varchar(3)`
	const named = values.map((value, place) => `${value} as c${place}`)
	await sql.unsafe(`create table public.v as select n as id, ${named.join(', ')} from generate_series(1, 3000) n`)
	await sql`create table public.t (id int primary key, doc bytea)`
	await sql`insert into public.t select 1, string_agg(decode(repeat(encode(sha256(n::text::bytea), 'hex'), 64), 'hex'), '')
		from generate_series(1, 262145) n`
	const imageOf = () => sql`select id, octet_length(doc) as bytes, sha256(doc) as digest from public.t`
	const image = await imageOf()
	expect(image[0]?.bytes).toBeGreaterThan(2 ** 29)
	await sql`create table public.p (id int, at int, primary key (id, at)) partition by list (at)`
	await sql`create table public.p1 partition of public.p for values in (1)`
	await sql`create table public.p2 partition of public.p for values in (2)`
	await sql`insert into public.p values (1, 1), (2, 1)`
	const told: string[] = []
	const log = pino({}, { write: (line) => void told.push(tellOf(JSON.parse(line))) })
	await ground.start({}, { log })
	await sql`alter publication reprieve_move add table public.p1, public.p2`
	await publish(ground, 'public.v', 'public.t', 'public.p1', 'public.p2')

	await sql`delete from public.v where id = 1`
	await sql.begin(async (tx) => {
		await tx`delete from public.v where id > 1`
		await tx`update public.p set at = 2 where id = 1`
		await tx`delete from public.p where id = 2`
		await tx`delete from public.t`
	})
	await ground.barrier(480_000)

	const [asText, ...inBinary] = await archivedRows(vault, 'v')
	expect(inBinary).toHaveLength(2999)
	for (const [at, row] of inBinary.entries()) {
		expect(row.values).toEqual({ ...asText?.values, id: String(at + 2) })
	}
	expect((await archivedRows(vault, 'p')).map(({ op, values }) => [op, values])).toEqual([
		['move', { id: '1', at: '1' }],
		['delete', { id: '2', at: '1' }],
	])
	expect(await sql`select code from reprieve.incidents`).toEqual([])

	await sql`delete from public.p`
	await ground.barrier(60_000)
	expect(await archivedRows(vault, 'p')).toHaveLength(3)

	const turns = told.filter((line) => /opened again|broke off/.test(line))
	expect(turns, 'in binary, then as text, and its lease is never lost').toEqual([
		expect.stringMatching(/^the stream is opened again: .*in binary/),
		'the stream is opened again: the stream is read again as text',
	])

	await using services = await testServices(ground, { vault, openLineage: false })
	expect(await restore(services, { selection: { table: 't' } })).toMatchObject({ restored: 1 })
	expect(await imageOf()).toEqual(image)
}, 600_000)

function tellOf({ msg, err }: { msg: string; err?: { message: string } }): string {
	return err ? `${msg}: ${err.message}` : msg
}
