import type { Case } from './case.ts'

export const partitions: Case[] = [
	{
		name: 'partitions by list, range and hash, three levels deep',
		ddl: `
			create table t (region text, at date, id int, note text, primary key (region, at, id)) partition by list (region);
			create table t_eu partition of t for values in ('de', 'fr') partition by range (at);
			create table t_eu_old partition of t_eu for values from (minvalue) to ('2020-01-01') partition by hash (id);
			create table t_eu_old_0 partition of t_eu_old for values with (modulus 2, remainder 0);
			create table t_eu_old_1 partition of t_eu_old for values with (modulus 2, remainder 1);
			create table t_eu_new partition of t_eu for values from ('2020-01-01') to (maxvalue);
			create table t_us (note text, gone int, id int not null, at date not null, region text not null);
			alter table t_us drop column gone;
			alter table t attach partition t_us for values in ('us');
			create table t_rest partition of t default partition by range (at);
			create table t_rest_any partition of t_rest default`,
		rows: `insert into t select (array['de', 'fr', 'us', 'jp', 'xx'])[1 + i % 5], date '2018-01-01' + i * 31, i, 'n' || i
			from generate_series(1, 60) i;
			update t set region = 'us' where id % 7 = 0; update t set at = at + 400 where id % 11 = 0`,
	},
	{
		name: 'rows that move between leaves in the transaction that deletes them',
		ddl: `
			create table t (id int, at int, note text, primary key (id, at)) partition by range (at);
			create table t_1 partition of t for values from (0) to (10);
			create table t_2 partition of t for values from (10) to (20);
			create table t_rest partition of t default`,
		rows: `insert into t select i, i % 25, 'n' || i from generate_series(1, 50) i`,
		// The row that leaves and comes back is deleted from where it was: moves with other values are undone first.
		delete: `update t set at = at + 10 where at < 10; update t set at = at - 10 where at between 10 and 19 and id % 25 < 10;
			delete from t`,
	},
	{
		name: 'foreign keys to and from partitioned tables',
		ddl: `
			create table p (id int, kind int, primary key (kind, id)) partition by list (kind);
			create table p_1 partition of p for values in (1);
			create table p_2 (kind int not null, id int not null);
			alter table p attach partition p_2 for values in (2);
			create table c (id int, kind int, p int, primary key (id),
				foreign key (kind, p) references p (kind, id) on delete cascade) partition by hash (id);
			create table c_0 partition of c for values with (modulus 2, remainder 0);
			create table c_1 partition of c for values with (modulus 2, remainder 1);
			create table d (id int primary key, kind int, p int, foreign key (kind, p) references p on delete set null (p));
			create table e (id int primary key references c, leaf int, foreign key (leaf) references c_1)`,
		rows: `insert into p select i, 1 + i % 2 from generate_series(1, 20) i;
			insert into c select i, 1 + i % 2, i from generate_series(1, 20) i;
			insert into d select i, 1 + i % 2, i from generate_series(1, 20) i;
			insert into e select id, case when tableoid = 'c_1'::regclass then id end from c`,
		delete: 'delete from e; delete from p; delete from c; delete from d',
	},
]
