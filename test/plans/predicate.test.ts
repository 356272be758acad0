import type { Where } from '@reprieve/contracts'
import { checkWhere, compileWhere, describeTable, findTable, type Sql } from '@reprieve/postgres'
import { expect, test } from 'vitest'
import { freshDatabase } from '../support/postgres.ts'

async function matching(sql: Sql, name: string, where: Where): Promise<number[]> {
	const found = await findTable(sql, { schema: 'public', name })
	const table = await describeTable(sql, found?.oid ?? 0)
	if (!table) throw new Error(`no table ${name}`)
	await checkWhere(sql, where, table)
	const { text, params } = compileWhere(where, table, 't')
	const quoted = `"${name.replaceAll('"', '""')}"`
	const rows = await sql.unsafe<{ id: number }[]>(
		`select t.id from public.${quoted} t where ${text} order by 1`,
		params,
	)
	return rows.map((row) => row.id)
}

test('every operator follows the rules of SQL for NULL', async () => {
	await using database = await freshDatabase()
	const { sql } = database
	await sql`create table public.t (id int primary key, n int, s text)`
	await sql`insert into public.t values (1, 1, 'ab'), (2, 2, 'AB'), (3, null, null), (4, 4, 'a%b')`
	const cases: [Where, number[]][] = [
		[{ column: 'n', op: 'eq', value: 1 }, [1]],
		[{ column: 'n', op: 'ne', value: 1 }, [2, 4]],
		[{ column: 'n', op: 'lt', value: 2 }, [1]],
		[{ column: 'n', op: 'lte', value: 2 }, [1, 2]],
		[{ column: 'n', op: 'gt', value: '2' }, [4]],
		[{ column: 'n', op: 'gte', value: 2 }, [2, 4]],
		[{ column: 'n', op: 'in', value: [1, 4] }, [1, 4]],
		[{ column: 'n', op: 'notIn', value: [1, 4] }, [2]],
		[{ column: 'n', op: 'in', value: [] }, []],
		[{ column: 'n', op: 'notIn', value: [] }, [1, 2, 3, 4]],
		[{ column: 'n', op: 'isNull' }, [3]],
		[{ column: 'n', op: 'isNotNull' }, [1, 2, 4]],
		[{ column: 's', op: 'like', value: 'a\\%%' }, [4]],
		[{ column: 's', op: 'ilike', value: 'ab' }, [1, 2]],
		[{ not: { column: 'n', op: 'eq', value: 1 } }, [2, 4]],
		[{ and: [] }, [1, 2, 3, 4]],
		[{ or: [] }, []],
	]
	for (const [where, ids] of cases) expect(await matching(sql, 't', where), JSON.stringify(where)).toEqual(ids)
})

test('hostile names and values stay names and values', async () => {
	await using database = await freshDatabase()
	const { sql } = database
	await sql`create table public."t""; drop table x; --" (id int primary key, "a""b $1 ' \\ ;--" text)`
	await sql`insert into public."t""; drop table x; --" values (1, ${`' or true --`}), (2, ${'{"}\\,NULL'})`
	const column = `a"b $1 ' \\ ;--`
	const name = 't"; drop table x; --'
	expect(await matching(sql, name, { column, op: 'eq', value: `' or true --` })).toEqual([1])
	expect(await matching(sql, name, { column, op: 'in', value: ['{"}\\,NULL', 'NULL', ''] })).toEqual([2])
})

test('a value keeps its digits and its length whatever the modifier of the column', async () => {
	await using database = await freshDatabase()
	const { sql } = database
	await sql`create table public.t (id int primary key, p numeric(10,2), v varchar(3), c char(3), b bit(2), at timestamptz(0), v2 varchar(3)[])`
	await sql`insert into public.t values (1, 1.01, 'abc', 'ab', '10', '2020-01-01 00:00:01Z', '{abc}')`
	expect(await matching(sql, 't', { column: 'p', op: 'eq', value: '1.005' })).toEqual([])
	expect(await matching(sql, 't', { column: 'v', op: 'eq', value: 'abcd' })).toEqual([])
	expect(await matching(sql, 't', { column: 'c', op: 'eq', value: 'ab' })).toEqual([1])
	expect(await matching(sql, 't', { column: 'b', op: 'eq', value: '101' })).toEqual([])
	expect(await matching(sql, 't', { column: 'b', op: 'in', value: ['10'] })).toEqual([1])
	expect(await matching(sql, 't', { column: 'at', op: 'lt', value: '2020-01-01T00:00:00.6Z' })).toEqual([])
	expect(await matching(sql, 't', { column: 'v2', op: 'in', value: ['{abc}'] })).toEqual([1])
})

test('types of extensions and of users compare as they do for their owner', async () => {
	await using database = await freshDatabase()
	const { sql } = database
	await sql`create extension citext schema public`
	await sql`create type public."Mood" as enum ('sad', 'glad')`
	await sql`create domain public.positive as int check (value > 0)`
	await sql`create table public.t (id int primary key, c public.citext, m public."Mood", d public.positive)`
	await sql`insert into public.t values (1, 'Ann', 'glad', 1), (2, 'bob', 'sad', 2), (3, null, null, null)`
	expect(await matching(sql, 't', { column: 'c', op: 'eq', value: 'ANN' })).toEqual([1])
	expect(await matching(sql, 't', { column: 'c', op: 'ne', value: 'ANN' })).toEqual([2])
	expect(await matching(sql, 't', { column: 'c', op: 'in', value: ['BOB', 'x'] })).toEqual([2])
	expect(await matching(sql, 't', { column: 'c', op: 'like', value: 'B%' })).toEqual([2])
	expect(await matching(sql, 't', { column: 'm', op: 'gt', value: 'sad' })).toEqual([1])
	expect(await matching(sql, 't', { column: 'm', op: 'in', value: ['sad'] })).toEqual([2])
	expect(await matching(sql, 't', { column: 'd', op: 'gte', value: 2 })).toEqual([2])
	await expect(matching(sql, 't', { column: 'd', op: 'eq', value: -1 })).rejects.toMatchObject({ code: 'INVALID' })
})

test('a value that does not cast is refused by column and value', async () => {
	await using database = await freshDatabase()
	const { sql } = database
	await sql`create table public.t (id int primary key, j json)`
	await expect(matching(sql, 't', { column: 'id', op: 'in', value: [1, 'zwei'] })).rejects.toMatchObject({
		code: 'INVALID',
		message: expect.stringMatching(/"zwei".*"id"/),
	})
	await expect(matching(sql, 't', { column: 'id', op: 'eq', value: 1.5 })).rejects.toMatchObject({ code: 'INVALID' })
	await expect(matching(sql, 't', { column: 'j', op: 'eq', value: '{}' })).rejects.toMatchObject({ code: 'INVALID' })
	await expect(matching(sql, 't', { column: 'x', op: 'isNull' })).rejects.toMatchObject({ code: 'INVALID' })
})
