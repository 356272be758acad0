import type { Sql } from '@reprieve/postgres'

/** Tables whose rows go and come back, each with a copy in schema `kept` by which it is judged. */
export const tables = ['parent', 'child', 'note', 'aside'] as const

/** Rows with dependents by CASCADE, with a trigger that a restore has to disable, and by SET NULL, and a table apart. */
export async function fillCrashShop(sql: Sql): Promise<void> {
	await sql.unsafe(`
		create table public.parent (id int primary key, name text not null, amount numeric(12, 2), at timestamptz);
		create table public.child (id int primary key, parent_id int references public.parent on delete cascade, body bytea);
		create table public.note (id int primary key, parent_id int references public.parent on delete set null, doc jsonb);
		create table public.aside (id int primary key, ratio float8, tags text[]);
		create index on public.child (parent_id);
		create index on public.note (parent_id);
		insert into public.parent select n, 'name ' || n, n / 7.0, timestamptz '2024-01-01' + n * interval '1.000001 hour'
			from generate_series(1, 60) n;
		insert into public.child select n, (n + 1) / 2, nullif(decode(repeat(md5(n::text), n % 5), 'hex'), '')
			from generate_series(1, 120) n;
		insert into public.note select n, n, jsonb_build_object('n', n, 'text', repeat('"', n % 3)) from generate_series(1, 60) n;
		insert into public.aside select n, 'NaN'::float8 * (n % 2) + n / 3.0, array['a', null, n::text]
			from generate_series(1, 40) n;
		create function public.clear() returns trigger language plpgsql as 'begin new.body := null; return new; end';
		create trigger clear before insert on public.child for each row execute function public.clear();
		alter table public.child enable always trigger clear;
		create schema kept;`)
	for (const name of tables) await sql.unsafe(`create table kept.${name} as table public.${name}`)
}
