import { expect, test } from 'vitest'
import { startRun } from '../../apps/service/src/runs/start.ts'
import { admin } from '../support/services.ts'
import { openGround, plan } from './support.ts'

test('rules that no batch gets past are findings of the plan, by table and name, and refuse its run', async () => {
	await using ground = await openGround()
	const { sql } = ground.database
	await sql.unsafe(`create table public.a (id int primary key);
		create table public.b (id int primary key, a int references public.a on delete cascade);
		create table public.c (id int primary key, a int references public.a on delete set null);
		create table public.away (id int);
		insert into public.a values (1); insert into public.b values (1, 1); insert into public.c values (1, 1);
		create rule copied as on delete to public.b do also insert into public.away values (old.id);
		create rule kept as on update to public.c where old.id = 7 do instead nothing;
		create rule deleted as on delete to public.c do instead nothing;
		create rule asleep as on delete to public.a do instead nothing; alter table public.a disable rule asleep`)
	const made = await plan(ground.services, { kind: 'match', table: 'a', where: { and: [] } })
	const told = made.findings.filter(({ code }) => code === 'ruleStopsRuns')
	expect(told.map(({ table, message }) => [table, message])).toEqual([
		['b', 'b has the rule copied on DELETE: PostgreSQL runs no batch beside it'],
		['c', 'c has the rule kept on UPDATE: PostgreSQL runs no batch beside it'],
	])
	await expect(startRun(ground.services, admin, { planId: made.id, reason: 'test' })).rejects.toMatchObject({
		code: 'NOT_RESTORABLE',
		issues: expect.arrayContaining(
			told.map(({ table, message }) => ({ path: table, message: `ruleStopsRuns: ${message}` })),
		),
	})
})
