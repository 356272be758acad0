import { createHash } from 'node:crypto'
import type { ChangeRows } from '@reprieve/contracts'
import type { Vault } from '@reprieve/vault'
import { expect, test } from 'vitest'
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

test('a transaction with a value too long for text is read in binary, and every value of it is archived as its text', async () => {
	await using ground = await captureGround()
	const { sql, vault } = ground
	await sql`create type public.pair as (a int, b text)`
	await sql`create type public.mood as enum ('sad', 'gay')`
	await sql`create domain public.blob as bytea check (value <> ''::bytea)`
	await sql`create domain public.word as varchar(3)`
	const named = values.map((value, place) => `${value} as c${place}`)
	await sql.unsafe(`create table public.v as select n as id, ${named.join(', ')} from generate_series(1, 3000) n`)
	await sql`create table public.t (id int primary key, doc bytea)`
	await sql`alter table public.t alter column doc set storage external`
	await sql`insert into public.t with part(bytes) as materialized (
			select string_agg(sha256(n::text::bytea), ''::bytea) from generate_series(1, 2000000) n)
		select 1, string_agg(bytes, ''::bytea) from part, generate_series(1, 9)`
	await sql`create table public.p (id int, at int, primary key (id, at)) partition by list (at)`
	await sql`create table public.p1 partition of public.p for values in (1)`
	await sql`create table public.p2 partition of public.p for values in (2)`
	await sql`insert into public.p values (1, 1), (2, 1)`
	const [stored] = await sql`select length(doc) as length, md5(doc) as md5 from public.t`
	expect(stored?.length).toBeGreaterThan(2 ** 29)
	// The machine may stand still for longer than a lease while it works on half a gigabyte.
	await ground.start({ leaseMs: 120_000 })
	await sql`alter publication reprieve_move add table public.p1, public.p2`
	await publish(ground, 'public.v', 'public.t', 'public.p1', 'public.p2')

	await sql`delete from public.v where id = 1`
	await sql.begin(async (tx) => {
		await tx`delete from public.v where id > 1`
		await tx`update public.p set at = 2 where id = 1`
		await tx`delete from public.p where id = 2`
		await tx`delete from public.t`
	})
	await ground.barrier(240_000)

	const [asText, ...inBinary] = await archivedRows(vault, 'v')
	expect(inBinary).toHaveLength(2999)
	for (const [at, row] of inBinary.entries()) {
		expect(row.values).toEqual({ ...asText?.values, id: String(at + 2) })
	}
	expect((await archivedRows(vault, 'p')).map(({ op, values }) => [op, values])).toEqual([
		['move', { id: '1', at: '1' }],
		['delete', { id: '2', at: '1' }],
	])
	expect(await digestsOf(vault, 't', 'doc')).toEqual([stored?.md5])
	expect(await sql`select code from reprieve.incidents`).toEqual([])

	await sql`insert into public.t values (2, '\\x01')`
	await sql`delete from public.t where id = 2`
	await ground.barrier(60_000)
	expect(await digestsOf(vault, 't', 'doc')).toHaveLength(2)
}, 300_000)

/** Digests of the bytes of an archived bytea column. */
async function digestsOf(vault: Vault, name: string, column: string): Promise<string[]> {
	const digests: string[] = []
	for await (const rows of vault.table({ schema: 'public', name }).read({})) {
		for (let row = 0; row < rows.count; row++) digests.push(digestOf(rows, column, row))
	}
	return digests
}

function digestOf(rows: ChangeRows, name: string, row: number): string {
	const place = rows.table.columns.findIndex((column) => column.name === name)
	const { bytes, offsets } = rows.columns[place] as ChangeRows['columns'][number]
	const length = (offsets[row + 1] as number) - (offsets[row] as number)
	const text = Buffer.from(bytes.buffer, bytes.byteOffset + (offsets[row] as number), length)
	const hash = createHash('md5')
	for (let at = 2; at < text.length; at += 2 ** 20)
		hash.update(text.toString('latin1', at, Math.min(at + 2 ** 20, text.length)), 'hex')
	return hash.digest('hex')
}
