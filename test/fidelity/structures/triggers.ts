import type { Case } from './case.ts'

const rewriting = `
	create table t (id int primary key, note text);
	create function touch() returns trigger language plpgsql as 'begin new.note = ''touched''; return new; end'`

export const triggers: Case[] = [
	{
		name: 'a trigger that rewrites what is inserted',
		ddl: `${rewriting}; create trigger touch before insert or update on t for each row execute function touch();
			alter table t disable trigger touch`,
		rows: `insert into t values (1, 'as it was'), (2, null); alter table t enable trigger touch`,
	},
	{
		name: 'a trigger that rewrites in every mode',
		ddl: `${rewriting}; create trigger touch before insert on t for each row execute function touch();
			create trigger touch_too before insert on t for each row execute function touch();
			create trigger asleep before insert on t for each row execute function touch();
			alter table t disable trigger user`,
		rows: `insert into t values (1, 'as it was'); alter table t enable always trigger touch; alter table t enable replica trigger touch_too`,
	},
	{
		name: 'a trigger that skips what is inserted, on a leaf',
		ddl: `
			create table t (id int primary key, note text) partition by range (id);
			create table t_1 partition of t for values from (0) to (10);
			create table t_2 partition of t for values from (10) to (20);
			create function skip() returns trigger language plpgsql as 'begin return null; end';
			create trigger skip before insert on t_1 for each row execute function skip();
			create trigger log after insert on t for each row execute function skip();
			alter table t_1 disable trigger skip`,
		rows: `insert into t select i, 'n' from generate_series(1, 19) i; alter table t_1 enable trigger skip`,
	},
	{
		name: 'a rule that diverts what is inserted',
		ddl: `create table t (id int primary key, note text)`,
		rows: `insert into t values (1, 'a'), (2, 'b'); create rule away as on insert to t do instead nothing`,
	},
	{
		name: 'a trigger that deletes elsewhere',
		ddl: `
			create table elsewhere (id int primary key, note text);
			create table t (id int primary key, note text);
			create function cascade_by_hand() returns trigger language plpgsql set search_path from current as
				'begin delete from elsewhere where id = old.id; return null; end';
			create trigger cascade_by_hand after delete on t for each row execute function cascade_by_hand()`,
		rows: `insert into t values (1, 'a'), (2, 'b'); insert into elsewhere values (1, 'x'), (2, 'y')`,
		acknowledge: ['userTrigger:$.t.cascade_by_hand'],
	},
	{
		name: 'triggers that keep a journal, row by row and by transition tables',
		ddl: `
			create table t (id int primary key, note text);
			create table journal (id int, note text);
			create function note_row() returns trigger language plpgsql set search_path from current as
				'begin insert into journal values (old.id, old.note); return old; end';
			create function note_all() returns trigger language plpgsql set search_path from current as
				'begin insert into journal select id, note from changed; return null; end';
			create trigger note_row before delete on t for each row execute function note_row();
			create trigger note_insert after insert on t referencing new table as changed for each statement execute function note_all();
			create trigger note_delete after delete on t referencing old table as changed for each statement execute function note_all()`,
		rows: `insert into t values (1, 'a'), (2, 'b')`,
		acknowledge: ['userTrigger:$.t.note_delete', 'userTrigger:$.t.note_row'],
	},
]
