import type { Structure } from './case.ts'

/** A way to delete, over tables of its own. */
export type Work = Structure & {
	/** One after the other in one session, with the structure's schema as search path. */
	work: string[]
	/** Captured only after the work was done: what it changes besides is in the catalog by then. */
	isBehind?: boolean
	/** Changes archived, by table and kind. */
	archived: Record<string, number>
	/** Of them, those that an older deletion of the same key is. */
	superseded?: number
	/** The restore's map, by table: without it the restore is refused. */
	rename?: Record<string, Record<string, string>>
	/** SQL that takes back what the work changed besides, before the rows are compared. */
	rest?: string
}

const numbered = {
	ddl: 'create table t (id int primary key, note text)',
	rows: `insert into t select i, 'n' || i from generate_series(1, 9) i`,
}

export const transactions: Work[] = [
	{
		name: 'a prepared transaction that is committed, one that is rolled back',
		...numbered,
		work: [
			`begin; delete from t where id < 4; prepare transaction 'kept'`,
			`begin; delete from t where id > 7; prepare transaction 'dropped'`,
			`rollback prepared 'dropped'`,
			`commit prepared 'kept'`,
		],
		archived: { 't delete': 3 },
	},
	{
		name: 'savepoints, nested and rolled back',
		...numbered,
		work: [
			`begin; delete from t where id = 1;
			savepoint a; delete from t where id = 2;
			savepoint b; delete from t where id = 3; rollback to b; delete from t where id = 4; release b; rollback to a;
			savepoint c; delete from t where id = 5; savepoint d; delete from t where id = 6; release d; release c; commit`,
			'begin; delete from t where id = 7; rollback',
		],
		archived: { 't delete': 3 },
	},
	{
		name: 'one key deleted and inserted again ten times in one transaction',
		...numbered,
		work: [
			`do $$ begin
				for i in 1..9 loop delete from t where id = 1; insert into t values (1, 'again ' || i); end loop;
				delete from t where id = 1;
			end $$`,
		],
		archived: { 't delete': 10 },
		superseded: 9,
		rest: `update t set note = 'n1' where note = 'again 9'`,
	},
	{
		name: 'keys that are updated, then deleted',
		...numbered,
		work: [
			'begin; update t set id = id + 100 where id > 3; update t set note = id::text where id = 2; delete from t where id < 105; commit',
		],
		archived: { 't delete': 4 },
		rest: `update t set id = id - 100 where id > 100; update t set note = 'n2' where note = '2'`,
	},
	{
		name: 'writable CTEs, MERGE and DELETE USING',
		ddl: `${numbered.ddl}; create table u (id int primary key, t int); create table journal (id int, note text)`,
		rows: `${numbered.rows}; insert into u select i, i from generate_series(1, 9) i`,
		work: [
			`with d as (delete from t where id < 3 returning *), e as (delete from u using d where u.t = d.id returning u.*)
				insert into journal select d.* from d join e on e.t = d.id`,
			`merge into t using u on t.id = u.t when matched and u.t < 6 then delete when matched then do nothing`,
			'delete from u using t where u.t = t.id and t.id > 7',
		],
		archived: { 't delete': 5, 'u delete': 4 },
	},
	{
		name: 'a view that is updated through, and the cascade behind it',
		ddl: `${numbered.ddl}; create table c (id int primary key, t int references t on delete cascade);
			create view small as select id as number from t where id < 5 with check option;
			create function remove_one() returns trigger language plpgsql set search_path from current as
				'begin delete from t where id = old.number; return old; end';
			create view other as select number from small;
			create trigger remove_one instead of delete on other for each row execute function remove_one()`,
		rows: `${numbered.rows}; insert into c select i, 1 + i % 9 from generate_series(1, 18) i`,
		work: [
			'begin; delete from small where number < 3; delete from other where number = 3; delete from small where number = 9; commit',
		],
		archived: { 't delete': 3, 'c delete': 6 },
	},
	{
		name: 'TRUNCATE of tables that archive it, children first',
		truncate: 'archive',
		ddl: `${numbered.ddl}; create table p (id int, at int, primary key (id, at)) partition by range (at);
			create table p_1 partition of p for values from (0) to (5); create table p_2 partition of p default;
			create table c (id int primary key, t int references t)`,
		rows: `${numbered.rows}; insert into p select i, i from generate_series(1, 9) i; insert into c select i, i from generate_series(1, 9) i`,
		work: ['truncate c, t, p'],
		archived: { 't delete': 9, 'c delete': 9, 'p delete': 9 },
	},
	{
		name: 'columns added, and dropped, in the transaction that deletes',
		...numbered,
		work: [
			`begin; savepoint a; delete from t where id < 3; release a; alter table t add extra int not null default 7;
			delete from t where id = 3; alter table t add gone int; delete from t where id = 4; alter table t drop gone;
			delete from t where id = 5; commit`,
		],
		archived: { 't delete': 5 },
		rename: { t: { gone: '' } },
		rest: `do $$ begin assert (select bool_and(extra = 7) from t), 'a default is missing'; end $$; alter table t drop extra`,
	},
	{
		name: 'a table that is rewritten before its deletes are captured',
		...numbered,
		isBehind: true,
		work: [
			'delete from t where id < 3',
			'vacuum full t',
			'delete from t where id = 3',
			'cluster t using t_pkey',
			'begin; delete from t where id = 4; alter table t add extra timestamptz default clock_timestamp(); commit',
			'delete from t where id = 5',
			'reindex table t; analyze t',
		],
		archived: { 't delete': 5 },
		rest: 'alter table t drop extra',
	},
	{
		name: 'columns that are retyped and renamed before the first delete is captured',
		...numbered,
		isBehind: true,
		work: [
			'delete from t where id < 3',
			'alter table t alter id type bigint; alter table t rename note to words',
			'delete from t where id = 3',
			'alter table t add more int',
		],
		archived: { 't delete': 3 },
		rename: { t: { id: 'id', note: 'words' } },
		rest: 'alter table t alter id type int; alter table t rename words to note; alter table t drop more',
	},
	{
		name: 'a partition with columns in another order that are retyped before its first delete is captured',
		ddl: `create table t (id int primary key, note text, more text) partition by range (id);
			create table t_1 (more text, gone int, id int not null, note text);
			alter table t_1 drop gone;
			alter table t attach partition t_1 for values from (0) to (100)`,
		rows: `insert into t select i, 'n' || i, 'm' from generate_series(1, 9) i`,
		isBehind: true,
		work: [
			'delete from t where id < 3',
			'alter table t alter note type varchar(20); alter table t rename more to less',
		],
		archived: { 't delete': 2 },
		rename: { t: { note: 'note', more: 'less' } },
		rest: 'alter table t alter note type text; alter table t rename less to more',
	},
	{
		name: 'a leaf that is detached, and one that is attached, in the transaction that deletes',
		ddl: `create table t (id int primary key, note text) partition by range (id);
			create table t_1 partition of t for values from (0) to (10);
			create table t_2 partition of t for values from (10) to (20);
			create table t_3 (note text, id int primary key)`,
		rows: `insert into t select i, 'n' || i from generate_series(1, 19) i; insert into t_3 select 'n', i from generate_series(20, 29) i`,
		work: [
			`begin; delete from t where id in (1, 2, 11); alter table t detach partition t_1; delete from t_1 where id = 3;
			alter table t attach partition t_3 for values from (20) to (30); delete from t where id > 27; commit`,
		],
		archived: { 't_1 delete': 3, 't delete': 3 },
		rest: 'alter table t attach partition t_1 for values from (0) to (10); alter table t detach partition t_3',
	},
	{
		name: 'an enum label that is renamed before its rows are captured',
		ddl: `create type mood as enum ('so so', 'glad'); create table t (id int primary key, mood mood, moods mood[])`,
		rows: `insert into t values (1, 'so so', '{glad,"so so"}'), (2, 'glad', null)`,
		isBehind: true,
		work: [
			'delete from t',
			`alter type mood rename value 'so so' to 'middling'`,
			`alter type mood rename value 'middling' to 'so so'`,
		],
		archived: { 't delete': 2 },
	},
]
