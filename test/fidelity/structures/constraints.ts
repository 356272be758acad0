import type { Case } from './case.ts'

export const constraints: Case[] = [
	{
		name: 'uniques that are deferred, and were swapped',
		ddl: `create table t (id int primary key, place int unique deferrable initially deferred, slot int unique deferrable)`,
		rows: `insert into t select i, i, i from generate_series(1, 10) i;
			update t set place = 11 - place; update t set slot = 11 - slot`,
	},
	{
		name: 'a primary key that is deferrable, beside a unique index',
		ddl: `create table t (id int, code text not null unique, note text, primary key (id) deferrable initially deferred)`,
		rows: `insert into t select i, 'c' || i, 'n' from generate_series(1, 10) i; update t set id = 11 - id`,
	},
	{
		name: 'exclusion constraints, immediate and deferred',
		ddl: `create table t (id int primary key, room int4range, span int8range, exclude using gist (room with &&),
			exclude using gist (span with &&) where (id > 2) deferrable initially deferred)`,
		rows: `insert into t select i, int4range(i, i + 1), int8range(i, i + 1) from generate_series(1, 10) i;
			insert into t values (11, null, null), (12, 'empty', 'empty')`,
	},
	{
		name: 'unique indexes that are partial, of expressions, or hold NULLs equal',
		ddl: `
			create table t (id int primary key, mail text, live bool, a int, b int, c int, unique nulls not distinct (a, b));
			create unique index on t (lower(mail)) where live;
			create unique index on t ((c % 1000)) include (mail)`,
		rows: `insert into t values (1, 'A@x', true, 1, null, 1), (2, 'a@X', false, null, null, 2), (3, 'a@x', null, 2, null, null),
			(4, null, true, null, 3, null)`,
	},
	{
		name: 'checks, one of them not valid',
		ddl: 'create table t (id int primary key, n int, m text)',
		rows: `insert into t values (1, 1, 'x'), (2, 2, 'y'), (3, null, null);
			alter table t add constraint positive check (n > 0), add constraint short check (length(m) < 3);
			alter table t add constraint small check (n < 9) not valid`,
		acknowledge: ['notValid:$.t.small'],
	},
	{
		name: 'column grants, a role that owns, comments and options',
		ddl: `create table t (id int generated always as identity (start 5 increment 3) primary key, n serial, s text,
			twice int generated always as (id * 2) stored) with (fillfactor = 50);
			alter table t alter s set storage external`,
		rows: `insert into t (s) select repeat('x', 5000) from generate_series(1, 5);
			grant select (id) on t to pg_monitor; grant delete on t to pg_monitor; comment on table t is 'a comment'`,
	},
	{
		name: 'row security that is forced, with policies',
		ddl: `create table t (id int primary key, who text);
			alter table t enable row level security; alter table t force row level security;
			create policy own on t using (who = current_user) with check (false)`,
		rows: `insert into t values (1, 'me'), (2, 'you')`,
	},
	{
		name: 'NOT NULL that is not valid',
		since: 18,
		ddl: 'create table t (id int primary key, n int, m int)',
		rows: `insert into t values (1, null, 1), (2, 2, 2);
			alter table t add constraint filled not null m not valid`,
		acknowledge: ['notValid:$.t.filled'],
	},
	{
		name: 'constraints that are not enforced',
		since: 18,
		ddl: `
			create table p (id int primary key);
			create table c (id int primary key, p int references p not enforced, n int check (n > 0) not enforced)`,
		rows: 'insert into p values (1); insert into c values (1, 1, -1), (2, 77, 1)',
	},
	{
		name: 'temporal keys',
		since: 18,
		ddl: `
			create extension if not exists btree_gist schema public;
			create table p (id int, at daterange, note text, primary key (id, at without overlaps));
			create table c (id int, at daterange, p int, primary key (id, at without overlaps),
				foreign key (p, period at) references p (id, period at))`,
		rows: `insert into p values (1, '[2020-01-01,2021-01-01)', 'a'), (1, '[2021-01-01,2022-01-01)', 'b'), (2, '[2020-01-01,)', 'c');
			insert into c values (1, '[2020-06-01,2021-06-01)', 1), (2, '[2020-06-01,2021-06-01)', 2), (3, '[1999-01-01,2000-01-01)', null)`,
	},
]
