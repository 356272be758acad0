import type { PolicyInput } from '@reprieve/contracts'
import { expect, test } from 'vitest'
import { openGround, plan, plannedKeys, rowsOf } from './support.ts'

type Duplicates = Extract<PolicyInput, { kind: 'duplicates' }>

test('each normaliser and a plain key find what a grouping finds, and NULL matches nothing', async () => {
	await using ground = await openGround()
	const { sql } = ground.database
	await sql`create table public.t (id int primary key, s text, n int)`
	await sql`insert into public.t values (1, 'Ann', 1), (2, 'ann', 1), (3, ' ann ', 2), (4, 'a  nn', 2), (5, 'a nn', null),
		(6, null, null), (7, null, null), (8, '', 3), (9, '--', 4), (10, '4-1', 5), (11, '41', 5)`
	const keys = (key: Duplicates['key']) =>
		plannedKeys(ground.services, { kind: 'duplicates', table: 't', key, keep: { orderBy: [{ column: 'id' }] } })
	expect(await keys(['s'])).toEqual([])
	expect(await keys([{ column: 's', normalise: 'lower' }])).toEqual([2])
	expect(await keys([{ column: 's', normalise: 'trim' }])).toEqual([3])
	expect(await keys([{ column: 's', normalise: 'collapseSpaces' }])).toEqual([5])
	expect(await keys([{ column: 's', normalise: 'digits' }, 'n'])).toEqual([2, 4, 11])
	expect(await keys(['n'])).toEqual([2, 4, 11])
	await expect(keys([{ column: 'n', normalise: 'lower' }])).rejects.toMatchObject({ code: 'INVALID' })
})

test('every keep rule agrees with brute force, ties go by primary key and NULLs lose', async () => {
	await using ground = await openGround()
	const { sql } = ground.database
	await sql`create table public.t (id int primary key, g int not null, at timestamptz, a int, b text)`
	await sql`create table public.c (id int primary key, t int references public.t on delete cascade)`
	await sql`create table public.d (id int primary key, t int references public.t on delete set null)`
	await sql`insert into public.t select i, i % 17, case when i % 5 = 0 then null else '2020-01-01Z'::timestamptz + (i * 7 % 11) * interval '1 day' end,
		case when i % 3 = 0 then null else i % 4 end, case when i % 4 = 0 then null else 'x' end from generate_series(1, 200) i`
	await sql`insert into public.c select i, (i * 13) % 200 + 1 from generate_series(1, 150) i where i % 2 = 0`
	await sql`insert into public.d select i, (i * 29) % 200 + 1 from generate_series(1, 150) i`
	const count = (table: string) => `(select count(*) from public.${table} x where x.t = t.id)`
	const cases: [Duplicates['keep'], string | undefined, string][] = [
		['newest', 'at', 'at desc nulls last'],
		['oldest', 'at', 'at asc nulls last'],
		['mostComplete', undefined, '((at is not null)::int + (a is not null)::int + (b is not null)::int) desc'],
		['mostReferenced', undefined, `${count('c')} + ${count('d')} desc`],
		[
			{ orderBy: [{ column: 'a', direction: 'desc', nulls: 'first' }, { column: 'b' }] },
			undefined,
			'a desc nulls first, b asc nulls last',
		],
	]
	for (const [keep, by, order] of cases) {
		const expected = await sql.unsafe<{ id: number }[]>(
			`select t.id from public.t t where t.id <> (select o.id from (select * from public.t) o where o.g = t.g order by ${order.replaceAll('t.id', 'o.id')}, o.id limit 1) order by 1`,
		)
		const planned = await plannedKeys(ground.services, { kind: 'duplicates', table: 't', key: ['g'], keep, by })
		expect(planned, JSON.stringify(keep)).toEqual(expected.map((row) => row.id))
	}
})

test('each duplicate names its keeper, which is no duplicate itself', async () => {
	await using ground = await openGround()
	await ground.database.sql`create table public.t (a text, b int, mail text, primary key (b, a))`
	await ground.database
		.sql`insert into public.t values ('x', 1, 'M@x'), ('y', 1, 'm@X'), ('x', 2, 'm@x'), ('z', 9, 'other')`
	const made = await plan(ground.services, {
		kind: 'duplicates',
		table: 't',
		key: [{ column: 'mail', normalise: 'lower' }],
		keep: { orderBy: [{ column: 'b', direction: 'desc' }] },
	})
	expect(await rowsOf(ground.services, made.id)).toEqual([
		{ table: 't', action: 'delete', key: { b: 1, a: 'x' }, keeper: { b: 2, a: 'x' } },
		{ table: 't', action: 'delete', key: { b: 1, a: 'y' }, keeper: { b: 2, a: 'x' } },
	])
})

test('where limits both who goes and who stays', async () => {
	await using ground = await openGround()
	await ground.database.sql`create table public.t (id int primary key, g int, live boolean)`
	await ground.database
		.sql`insert into public.t values (1, 1, false), (2, 1, true), (3, 1, true), (4, 2, true), (5, 2, false)`
	const where = { column: 'live', op: 'eq', value: true } as const
	expect(
		await plannedKeys(ground.services, {
			kind: 'duplicates',
			table: 't',
			key: ['g'],
			keep: { orderBy: [{ column: 'id' }] },
			where,
		}),
	).toEqual([3])
})

test('a cluster above the cap is refused and named', async () => {
	await using ground = await openGround()
	await ground.database.sql`create table public.t (id int primary key, mail text)`
	await ground.database
		.sql`insert into public.t select i, case when i <= 6 then 'none@x' else 'm' || i / 2 end from generate_series(1, 20) i`
	const policy: Duplicates = { kind: 'duplicates', table: 't', key: ['mail'], keep: { orderBy: [{ column: 'id' }] } }
	await expect(plan(ground.services, { ...policy, maxCluster: 5 })).rejects.toMatchObject({
		code: 'LIMIT_EXCEEDED',
		message: expect.stringMatching(/6 rows.*none@x.*5/),
	})
	expect(await plannedKeys(ground.services, { ...policy, maxCluster: 6 })).toHaveLength(11)
})

test('a keep rule without what it needs is refused', async () => {
	await using ground = await openGround()
	await ground.database.sql`create table public.t (id int primary key, g int, p point)`
	const attempt = (rest: object) =>
		plan(ground.services, { kind: 'duplicates', table: 't', key: ['g'], keep: 'newest', ...rest } as PolicyInput)
	await expect(attempt({})).rejects.toMatchObject({ code: 'INVALID', message: expect.stringContaining('"by"') })
	await expect(attempt({ keep: 'mostComplete', by: 'g' })).rejects.toMatchObject({ code: 'INVALID' })
	await expect(attempt({ by: 'zz' })).rejects.toMatchObject({ code: 'INVALID' })
	await expect(attempt({ by: 'p' })).rejects.toMatchObject({ code: 'INVALID' })
	await expect(attempt({ key: ['p'], by: 'g' })).rejects.toMatchObject({ code: 'INVALID' })
})
