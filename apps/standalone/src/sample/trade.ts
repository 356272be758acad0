import type { SampleSize } from './seed.ts'

/** Orders, and payments in monthly partitions. */
export function trade(size: SampleSize): string {
	const today = `timestamptz '${size.today} 00:00:00Z'`
	return `
${partitions(size.today)}

insert into orders (customer_id, employee_id, status, currency, note, placed_at)
select 1 + pg_temp.pick(n, 51, (${size.customers} * 0.97)::bigint),
	case when pg_temp.pick(n, 52, 5) = 0 then 1 + pg_temp.pick(n, 53, 60) end,
	pg_temp.some(n, 54, '{cart,placed,paid,shipped,delivered,delivered,delivered,returned,cancelled}')::order_status,
	pg_temp.some(n, 55, '{EUR,EUR,GBP,USD,JPY}'),
	case when pg_temp.pick(n, 56, 20) = 0 then E'Leave at the "back\\\\front" door\\tplease,\\nsecond bell; Größe 4' end,
	${today} - interval '2 years' + n * (interval '2 years' / ${size.orders}) + pg_temp.pick(n, 57, 900000000) * interval '1 microsecond'
from generate_series(1, ${size.orders}) n;

insert into payments (order_id, paid_at, amount, method, reference)
select id, placed_at + pg_temp.pick(id, 71, 72) * interval '1 hour', (199 + pg_temp.pick(id, 72, 149900)) / 100.0,
	pg_temp.some(id, 73, '{card,card,transfer,wallet}'), md5('payment ' || id)::uuid
from orders where status not in ('cart', 'cancelled');
`
}

/** One to three lines an order; some name a product that is gone. */
export function lines(size: SampleSize): string {
	return `
insert into order_lines (order_id, line, product_id, quantity, unit_price, discount)
select o, line, case when pg_temp.pick(o * 4 + line, 61, 250) = 0 then 501 + pg_temp.pick(o, 62, 20) else 1 + pg_temp.pick(o * 4 + line, 63, 500) end,
	1 + pg_temp.pick(o * 4 + line, 64, 5), (199 + pg_temp.pick(o * 4 + line, 65, 49900)) / 100.0,
	(pg_temp.pick(o * 4 + line, 66, 4) * 5) / 100.0
from generate_series(1, ${size.orders}) o, generate_series(1, 3) line
where line <= 1 + pg_temp.pick(o, 67, 3);
`
}

function partitions(today: string): string {
	const start = new Date(`${today}T00:00:00Z`)
	const month = (offset: number) =>
		new Date(Date.UTC(start.getUTCFullYear(), start.getUTCMonth() + offset, 1)).toISOString().slice(0, 10)
	const leaves = Array.from({ length: 27 }, (_, n) => n - 25).map((offset) => {
		const from = month(offset)
		return `create table payments_${from.slice(0, 7).replace('-', '_')} partition of payments
			for values from ('${from} 00:00:00Z') to ('${month(offset + 1)} 00:00:00Z');`
	})
	return [...leaves, 'create table payments_other partition of payments default;'].join('\n')
}
