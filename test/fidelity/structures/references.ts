import type { Case } from './case.ts'

export const references: Case[] = [
	{
		name: 'a chain of 10,000 self references',
		ddl: 'create table t (id int primary key, up int references t, note text)',
		rows: `insert into t select i, nullif(i - 1, 0), 'n' || i from generate_series(1, 10000) i`,
	},
	{
		name: 'cycles of rows inside one table',
		ddl: `create table t (id int primary key, next int not null references t, other int references t on delete cascade)`,
		rows: 'insert into t values (1, 2, 3), (2, 1, null), (3, 3, 3), (4, 5, 1), (5, 6, 4), (6, 4, 6)',
	},
	{
		name: 'a cycle of two tables that is not deferrable',
		ddl: `
			create table hen (id int primary key, egg int not null);
			create table egg (id int primary key, hen int not null references hen);
			alter table hen add foreign key (egg) references egg`,
		rows: `with h as (insert into hen values (1, 10), (2, 20), (3, 30)) insert into egg values (10, 2), (20, 3), (30, 1)`,
		delete: 'with h as (delete from hen) delete from egg',
	},
	{
		name: 'a cycle of three tables by cascades',
		ddl: `
			create table a (id int primary key, c int not null);
			create table b (id int primary key, a int not null references a on delete cascade);
			create table c (id int primary key, b int not null references b on delete cascade);
			alter table a add foreign key (c) references c on delete cascade`,
		rows: `with a as (insert into a values (1, 3), (2, 6)), b as (insert into b values (2, 1), (4, 2))
			insert into c values (3, 2), (6, 4)`,
		delete: 'delete from a where id = 1; delete from b',
	},
	{
		name: 'a cycle of two tables that is deferred',
		ddl: `
			create table a (id int primary key, b int not null);
			create table b (id int primary key, a int not null references a deferrable initially deferred);
			alter table a add foreign key (b) references b deferrable initially deferred`,
		rows: `insert into a values (1, 1), (2, 2); insert into b values (1, 2), (2, 1)`,
	},
	{
		name: 'foreign keys of every action',
		ddl: `
			create table p (id int primary key, code text unique);
			insert into p values (0, 'zero');
			create table cascaded (id int primary key, p int references p on delete cascade);
			create table nulled (id int primary key, p int references p on delete set null, note text);
			create table defaulted (id int primary key, p text default null references p (code) on delete set default);
			create table held (id int primary key, p int references p on delete restrict);
			create table kept (id int primary key, p int references p);
			create table grand (id int primary key, c int references cascaded on delete cascade)`,
		rows: `insert into p select i, 'c' || i from generate_series(1, 10) i;
			insert into cascaded select i, i % 11 from generate_series(1, 22) i;
			insert into nulled select i, i % 11, 'n' from generate_series(1, 22) i;
			insert into defaulted select i, 'c' || (1 + i % 10) from generate_series(1, 20) i;
			insert into held select i, i % 11 from generate_series(1, 11) i;
			insert into kept select i, i % 11 from generate_series(1, 11) i;
			insert into grand select i, i from generate_series(1, 22) i`,
		delete: `delete from held; delete from kept; delete from p; delete from nulled; delete from defaulted`,
	},
	{
		name: 'composite keys with NULLs, matched simply and fully',
		ddl: `
			create table p (a int, b text, primary key (a, b));
			create table simple (id int primary key, a int, b text, foreign key (a, b) references p on delete set null (b));
			create table whole (id int primary key, a int, b text, foreign key (a, b) references p match full on delete cascade)`,
		rows: `insert into p values (1, 'x'), (1, 'y'), (2, 'x');
			insert into simple values (1, 1, 'x'), (2, null, 'y'), (3, 9, null), (4, null, null), (5, 2, 'x');
			insert into whole values (1, 1, 'y'), (2, null, null), (3, 2, 'x')`,
	},
	{
		name: 'a foreign key that is not valid',
		ddl: `
			create table p (id int primary key);
			create table c (id int primary key, p int)`,
		rows: `insert into p values (1), (2); insert into c values (1, 1), (3, null), (4, 2);
			alter table c add constraint c_p foreign key (p) references p on delete cascade not valid`,
		acknowledge: ['notValid:$.c.c_p'],
	},
	{
		name: 'foreign keys to a unique constraint, by types that differ',
		ddl: `
			create table p (id bigint primary key, mail text collate "C" unique, part numeric(10, 2) unique);
			create table c (id smallint primary key, p int references p, mail varchar(40) references p (mail), part int references p (part))`,
		rows: `insert into p values (1, 'A', 1.00), (2, 'b ', 2); insert into c values (1, 1, 'A', 1), (2, 2, 'b ', 2), (3, 1, null, 2)`,
	},
]
