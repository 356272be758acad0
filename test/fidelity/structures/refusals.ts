import type { Structure } from './case.ts'

/** A table `t` that is not protected just so. `$` stands for the schema. */
export type Refusal = Structure & {
	code: string
	message?: string
	remedy: string
	/** The code by which the finding is accepted, what a plan finds then, and what a run fails with; nothing is deleted. */
	accepted?: { by: string; told?: string[]; failure: { code: string; message: string } }
}

const numbered = {
	ddl: 'create table t (id int primary key, note text)',
	rows: `insert into t values (1, 'a'), (2, 'b')`,
}
/** Types whose text loses something, means something else in another database, or is taken by no input function. */
const inexact: { type: string; shown?: string; first?: string }[] = [
	...['xml', 'xml[]', 'regclass', 'regrole', 'aclitem[]'].map((type) => ({ type })),
	...['pg_node_tree', 'pg_ndistinct', 'pg_mcv_list', 'gtsvector', 'pg_brin_bloom_summary'].map((type) => ({ type })),
	{ type: 'public.seg', first: 'create extension if not exists seg schema public' },
	{ type: 'public.gtrgm', first: 'create extension if not exists pg_trgm schema public' },
	{ type: 'public.gbtreekey8', first: 'create extension if not exists btree_gist schema public' },
	{ type: 'd', shown: '$.d', first: 'create domain d as xml[]' },
	{ type: 'pair', shown: '$.pair', first: 'create type pair as (a int, b regtype)' },
	{
		type: 'span',
		shown: '$.span',
		first: 'create type span as range (subtype = regclass, subtype_opclass = pg_catalog.oid_ops)',
	},
]
const trigger = (body: string) => `
	create function f() returns trigger language plpgsql as $f$ begin ${body} end $f$;
	create trigger f before delete on t for each row execute function f()`
const userTrigger = { code: 'userTrigger', remedy: 'Drop it, or acknowledge `userTrigger:$.t.f`.' }
const userRule = { code: 'userRule', remedy: 'Drop it, or acknowledge `userRule:$.t.r`.' }

export const refusals: Refusal[] = [
	{
		name: 'a table that is not logged',
		ddl: 'create unlogged table t (id int primary key)',
		rows: 'insert into t values (1)',
		code: 'unlogged',
		remedy: 'Run ALTER TABLE "$"."t" SET LOGGED.',
	},
	{
		name: 'a foreign table',
		ddl: `create foreign data wrapper nothing; create server nowhere foreign data wrapper nothing;
			create foreign table t (id int) server nowhere`,
		rows: 'select',
		code: 'notATable',
		remedy: 'Protect the tables that hold the rows.',
	},
	{
		name: 'a partition tree without a key, since an expression parts it',
		ddl: `create table t (id int not null, name text) partition by list (lower(name)); create table t_1 partition of t default`,
		rows: `insert into t values (1, 'A')`,
		code: 'noKey',
		remedy: 'Add a primary key to $.t.',
	},
	{
		name: 'a key that is deferrable alone',
		ddl: 'create table t (id int primary key deferrable)',
		rows: 'insert into t values (1)',
		code: 'noKey',
		remedy: 'Add a primary key to $.t.',
	},
	{
		name: 'a virtual generated column',
		since: 18,
		ddl: 'create table t (id int primary key, twice int generated always as (id * 2))',
		rows: 'insert into t values (1)',
		code: 'virtualGenerated',
		remedy: 'Make them STORED, or compute them in a view.',
	},
	{
		name: 'a check that is not valid, and a row that breaks it',
		...numbered,
		rows: `${numbered.rows}; alter table t add constraint odd check (id <> 1) not valid`,
		code: 'notValid',
		remedy: 'Run ALTER TABLE $.t VALIDATE CONSTRAINT odd, or acknowledge `notValid:$.t.odd`.',
	},
	{
		name: 'a domain whose check is not valid',
		ddl: 'create domain small as int; create table t (id small primary key)',
		rows: `insert into t values (1), (200); alter domain small add constraint tiny check (value < 9) not valid`,
		code: 'notValid',
		remedy: 'Run ALTER DOMAIN $.small VALIDATE CONSTRAINT tiny, or acknowledge `notValid:$.t.tiny`.',
	},
	...inexact.map(({ type, shown = type, first = '' }) => ({
		name: `a column of type ${type}`,
		ddl: `${first}; create table t (id int primary key, "C" ${type})`,
		rows: 'insert into t values (1)',
		code: 'inexactType',
		message: `$.t.C: type ${shown} has no exact text form`,
		remedy: "Change the column's type, or acknowledge `inexactType:$.t.C`.",
	})),
	{
		name: 'a trigger that raises',
		...numbered,
		ddl: `${numbered.ddl}; ${trigger(`raise exception 'never';`)}`,
		...userTrigger,
		accepted: {
			by: 'userTrigger:$.t.f',
			failure: { code: 'NOT_RESTORABLE', message: 'PostgreSQL refused the delete (SQLSTATE P0001): never' },
		},
	},
	{
		name: 'a trigger that keeps rows',
		...numbered,
		ddl: `${numbered.ddl}; ${trigger('return case when old.id > 1 then old end;')}`,
		...userTrigger,
		accepted: {
			by: 'userTrigger:$.t.f',
			failure: { code: 'NOT_RESTORABLE', message: '1 locked rows of $.t were not deleted by the statement' },
		},
	},
	{
		name: 'a trigger whose function counts on a search path',
		...numbered,
		ddl: `${numbered.ddl}; create table other (id int); ${trigger('insert into other values (old.id); return old;')}`,
		...userTrigger,
		accepted: {
			by: 'userTrigger:$.t.f',
			failure: {
				code: 'NOT_RESTORABLE',
				message: 'PostgreSQL refused the delete (SQLSTATE 42P01): relation "other" does not exist',
			},
		},
	},
	{
		name: 'a trigger that deletes where nothing is protected',
		...numbered,
		ddl: `${numbered.ddl}; create table journal (id int);
			${trigger('delete from $.journal; return old;')}`,
		rows: `${numbered.rows}; insert into journal values (1)`,
		...userTrigger,
		accepted: {
			by: 'userTrigger:$.t.f',
			failure: { code: 'NOT_RESTORABLE', message: 'a trigger deleted 1 rows of $.journal, which is not protected' },
		},
	},
	{
		name: 'a rule that deletes nothing',
		...numbered,
		ddl: `${numbered.ddl}; create rule r as on delete to t do instead nothing`,
		...userRule,
		accepted: {
			by: 'userRule:$.t.r',
			told: ['ruleStopsRuns'],
			failure: {
				code: 'NOT_RESTORABLE',
				message: '$.t has the rule r on DELETE: PostgreSQL runs no batch beside it',
			},
		},
	},
	{
		name: 'a rule that does something else besides',
		...numbered,
		ddl: `${numbered.ddl}; create table journal (id int);
			create rule r as on delete to t do also insert into journal values (old.id)`,
		...userRule,
		accepted: {
			by: 'userRule:$.t.r',
			told: ['ruleStopsRuns'],
			failure: {
				code: 'NOT_RESTORABLE',
				message: '$.t has the rule r on DELETE: PostgreSQL runs no batch beside it',
			},
		},
	},
]
