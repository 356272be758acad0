import type { Odd } from './odd.ts'

/** Bytes of a heap tuple that fills a page alone, behind its header where nothing is NULL. */
const roomBytes = 8160 - 24

const numbers = (count: number) => [...Array(count).keys()]
const shorts = numbers(1200)
const texts = numbers(397)
const names = numbers(126)
const longs = numbers(8)

/** Tables with as many columns as there can be, and rows that leave no byte of their page. */
export const full: Odd[] = [
	{
		what: '1,600 columns, of values and of NULLs',
		table: 'widest',
		make: [
			`create table public.widest (id int primary key, ${shorts.map((n) => `c${n} int2`).join(', ')},
				${texts.map((n) => `t${n} text`).join(', ')}, many int[], twice int generated always as (id * 2) stored unique)`,
			`insert into public.widest select n, ${shorts.map((at) => `case when n % 3 <> ${at % 3} then ${at} end`).join(', ')},
				${texts.map((at) => (at % 200 === 0 ? `repeat('t', 3000 * n)` : `'t${at % 97}'`)).join(', ')}, array[n, null]
				from generate_series(1, 5) n`,
			'insert into public.widest (id) values (6)',
		],
	},
	{
		what: 'rows of fixed width that fill a page to its last byte',
		table: 'fixed_page',
		make: [
			`create table public.fixed_page (id int primary key, ${longs.map((n) => `c${n} int8 not null`).join(', ')},
				${names.map((n) => `n${n} name not null`).join(', ')})`,
			`insert into public.fixed_page select n, ${longs.map((at) => `n * ${at}::int8`).join(', ')},
				${names.map((at) => `n || '-${at}'`).join(', ')} from generate_series(1, 3) n`,
		],
	},
	{
		what: 'rows that fill a page since nothing of them may be put out of line',
		table: 'plain_page',
		make: [
			'create table public.plain_page (id int primary key, q tsquery, filler text, more text)',
			'alter table public.plain_page alter filler set storage plain',
			`insert into public.plain_page select 1, q, repeat('x', ${roomBytes} - 8 - (pg_column_size(q) + 3) / 4 * 4)
				from (select string_agg(i::text, ' & ')::tsquery as q from generate_series(1, 200) i) made`,
			`insert into public.plain_page values (2, null, repeat('y', ${roomBytes} - 8), null)`,
		],
	},
]
