import type { PolicyInput } from '@reprieve/contracts'
import type { PlannedTable } from '@reprieve/control'
import { expect, test } from 'vitest'
import { scanRows } from '../../apps/service/src/plans/scan-rows.ts'
import { bodyOf, openGround, plan, plannedKeys, rowsOf } from './support.ts'

test('match plans the rows for which the predicate is true, with keys and versions of one snapshot', async () => {
	await using ground = await openGround()
	const { sql } = ground.database
	await sql`create table public.t (id int primary key, s text, at timestamptz)`
	await sql`insert into public.t select i, case when i % 3 = 0 then null else 's' || i end, '2020-01-01Z'::timestamptz from generate_series(1, 100) i`
	const made = await plan(ground.services, {
		kind: 'match',
		table: 't',
		where: { column: 's', op: 'like', value: 's1%' },
	})
	expect(made).toMatchObject({
		status: 'ready',
		table: 't',
		rows: 9,
		blocked: 0,
		dependents: [],
		hash: expect.stringMatching(/^[0-9a-f]{64}$/),
	})
	expect(made.sample[0]).toEqual({ id: 1, s: 's1', at: '2020-01-01 00:00:00+00' })
	expect(made.estimate.bytes).toBeGreaterThan(9 * 20)
	const rows = await rowsOf(ground.services, made.id)
	expect(rows.map((row) => row.key.id)).toEqual([1, 10, 11, 13, 14, 16, 17, 19, 100])
	const planned = (await bodyOf(ground.services, made.id)).tables[0] as PlannedTable
	const versions = await sql.unsafe(
		`select from ${scanRows(planned)} p join public.t t on t.id = p.k1 and t.xmin = p.version and t.tableoid = p.leaf`,
	)
	expect(versions).toHaveLength(9)
	expect(await plannedKeys(ground.services, { kind: 'match', table: 'public.t', where: { and: [] } })).toHaveLength(100)
	expect(await plannedKeys(ground.services, { kind: 'match', table: 't', where: { or: [] } })).toEqual([])
})

test('stale is strictly older than the snapshot, UTC without a zone, and NULL is never stale', async () => {
	await using ground = await openGround()
	const { sql } = ground.database
	await sql`create table public.t (id int primary key, tz timestamptz, ts timestamp, d date, n int)`
	await sql`insert into public.t values
		(1, now() - interval '91 days', now() at time zone 'UTC' - interval '91 days', (now() at time zone 'UTC')::date - 91, 0),
		(2, now() - interval '89 days', now() at time zone 'UTC' - interval '89 days', (now() at time zone 'UTC')::date - 89, 0),
		(3, null, null, null, 0),
		(4, '-infinity', '-infinity', '-infinity', 1),
		(5, 'infinity', 'infinity', 'infinity', 0),
		(6, '2020-01-01 00:00:00Z', '2020-01-01 00:00:00', '2020-01-01', 0)`
	const keys = (column: string, olderThan: string, rest: object = {}) =>
		plannedKeys(ground.services, { kind: 'stale', table: 't', column, olderThan, ...rest } as PolicyInput)
	for (const column of ['tz', 'ts', 'd']) {
		expect(await keys(column, 'P90D'), column).toEqual([1, 4, 6])
		expect(await keys(column, 'P12W4DT23H'), column).toEqual([1, 2, 4, 6])
		expect(await keys(column, '2020-01-01T00:00:00Z'), column).toEqual([4])
		expect(await keys(column, '2020-01-01T00:00:00.000001Z'), column).toEqual([4, 6])
		expect(await keys(column, '2020-01-01T01:30:00+01:30'), column).toEqual([4])
	}
	expect(await keys('tz', 'P90D', { where: { column: 'n', op: 'eq', value: 0 } })).toEqual([1, 6])
	await expect(keys('n', 'P90D')).rejects.toMatchObject({ code: 'INVALID', message: expect.stringContaining('"n"') })
	await expect(keys('tz', 'P999999999Y')).rejects.toMatchObject({ code: 'INVALID' })
})

test('incomplete means all listed columns NULL; any and blank widen it', async () => {
	await using ground = await openGround()
	await ground.database.sql`create table public.t (id int primary key, a text, b int, c char(4))`
	await ground.database
		.sql`insert into public.t values (1, null, null, null), (2, '', null, '    '), (3, '  ', 1, 'x'), (4, 'x', null, 'x'), (5, 'x', 1, 'x')`
	const keys = (rest: object) =>
		plannedKeys(ground.services, { kind: 'incomplete', table: 't', ...rest } as PolicyInput)
	expect(await keys({ missing: ['a', 'b', 'c'] })).toEqual([1])
	expect(await keys({ missing: ['a', 'b', 'c'], blank: true })).toEqual([1, 2])
	expect(await keys({ missing: ['a', 'b'], match: 'any' })).toEqual([1, 2, 4])
	expect(await keys({ missing: ['a', 'b'], match: 'any', blank: true })).toEqual([1, 2, 3, 4])
	expect(await keys({ missing: ['a'], blank: true, where: { column: 'b', op: 'isNotNull' } })).toEqual([3])
	await expect(keys({ missing: ['a', 'zz'] })).rejects.toMatchObject({
		code: 'INVALID',
		hint: expect.stringContaining('a, b, c'),
	})
})

test('orphans reference a row that is not there, never with a NULL among the columns', async () => {
	await using ground = await openGround()
	const { sql } = ground.database
	await sql`create extension citext schema public`
	await sql`create table public.parent (a int, b text, c public.citext, unique (a, b))`
	await sql`insert into public.parent values (1, 'x', 'Ann'), (2, null, 'Bob')`
	await sql`create table public.t (id int primary key, a bigint, b text, c text)`
	await sql`insert into public.t values (1, 1, 'x', 'ann'), (2, 1, 'y', 'bob'), (3, null, 'y', null), (4, 2, null, 'CARL'), (5, 3, 'x', 'BOB')`
	const keys = (columns: string[], references: string[], rest: object = {}) =>
		plannedKeys(ground.services, {
			kind: 'orphans',
			table: 't',
			columns,
			references: { table: 'parent', columns: references },
			...rest,
		})
	expect(await keys(['a', 'b'], ['a', 'b'])).toEqual([2, 5])
	expect(await keys(['a'], ['a'])).toEqual([5])
	expect(await keys(['c'], ['c'])).toEqual([4])
	expect(await keys(['a', 'b'], ['a', 'b'], { where: { column: 'id', op: 'gt', value: 2 } })).toEqual([5])
	await expect(keys(['a'], ['a', 'b'])).rejects.toMatchObject({ code: 'INVALID' })
	await expect(keys(['b'], ['a'])).rejects.toMatchObject({ code: 'INVALID' })
	await expect(keys(['a'], ['zz'])).rejects.toMatchObject({ code: 'INVALID', hint: expect.stringContaining('a, b, c') })
})

test('what no policy may name is refused', async () => {
	await using ground = await openGround()
	const { sql } = ground.database
	await sql`create view public.v as select 1 as id`
	await sql`create table public.nokey (id int)`
	const match = (table: string) => plan(ground.services, { kind: 'match', table, where: { and: [] } })
	await expect(match('nope')).rejects.toMatchObject({ code: 'NOT_FOUND' })
	await expect(match('v')).rejects.toMatchObject({ code: 'INVALID', message: expect.stringContaining('a view') })
	await expect(match('nokey')).rejects.toMatchObject({ code: 'INVALID', message: expect.stringContaining('key') })
	await expect(match('reprieve.plans')).rejects.toMatchObject({ code: 'NOT_FOUND' })
	await expect(match('pg_catalog.pg_class')).rejects.toMatchObject({ code: 'NOT_FOUND' })
	expect(await sql`select from reprieve.plans`).toHaveLength(0)
})
