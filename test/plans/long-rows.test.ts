import { expect, test } from 'vitest'
import { openGround, plan } from './support.ts'

test('a plan with a row that is too long to be archived is refused by table, key and column', async () => {
	await using ground = await openGround()
	const { sql } = ground.database
	await sql`create table public.p (id int primary key)`
	await sql`create table public.t (id int primary key, p int references public.p on delete cascade, note text, "Big" bytea,
		bits varbit)`
	await sql`insert into public.p values (1), (2), (3)`
	await sql`insert into public.t values (1, 1, repeat('n', 3000000), null, null),
		(2, 2, null, convert_to(repeat('b', 200000000), 'SQL_ASCII'), null)`
	await sql`insert into public.t (id, p, bits) select 3, 3, e || e from (select d || d from (select c || c from (
		select b || b from (select b''::bit(83886080)::varbit) a(b)) b(c)) c(d)) d(e)`
	const of = (table: string, id: number) =>
		plan(ground.services, { kind: 'match', table, where: { column: 'id', op: 'eq', value: id } })

	await expect(of('t', 2)).rejects.toMatchObject({
		code: 'LIMIT_EXCEEDED',
		message:
			'the row of t with id = 2 takes 400000002 bytes as text, most of it in Big (bytea); 268435456 can be archived',
		hint: expect.stringContaining('Leave the row out'),
	})
	await expect(of('p', 2)).rejects.toMatchObject({
		code: 'LIMIT_EXCEEDED',
		message: expect.stringContaining('t with id = 2'),
	})
	await expect(of('t', 3)).rejects.toMatchObject({
		code: 'LIMIT_EXCEEDED',
		message: expect.stringContaining('t has a value that the server cannot write as text'),
	})
	const made = await of('t', 1)
	expect(made).toMatchObject({ rows: 1, status: 'ready' })
	expect(made.sample[0]?.note).toBe('n'.repeat(10_000))
	expect(await sql`select from public.t`).toHaveLength(3)
})
