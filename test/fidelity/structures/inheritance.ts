import type { Case } from './case.ts'

export const inheritance: Case[] = [
	{
		name: 'inheritance of several levels, with columns of their own',
		ddl: `
			create table base (id int primary key, note text);
			create table mid (extra int[], primary key (id)) inherits (base);
			create table low (note text default 'low', more jsonb, primary key (id)) inherits (mid);
			create table other (z numeric, id int primary key)`,
		rows: `insert into base values (1, 'base'), (2, null); insert into mid values (1, 'mid', '{1,2}');
			insert into low values (1, 'low', null, '{"a": 1}'), (3, 'x', '{}', null); insert into other values (1.50, 1)`,
		delete: 'delete from base; delete from other',
	},
	{
		name: 'a child of two parents',
		ddl: `
			create table one (id int primary key, a text);
			create table two (id int not null unique, b text);
			create table both_of (c text, primary key (id)) inherits (one, two)`,
		rows: `insert into one values (1, 'a'); insert into two values (1, 'b'); insert into both_of values (1, 'a', 'b', 'c'), (2, null, null, null)`,
		delete: 'delete from two; delete from one',
	},
]
