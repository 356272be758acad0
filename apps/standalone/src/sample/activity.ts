import type { SampleSize } from './seed.ts'

/** Sessions over two years: most are stale, some were never seen again (NULL). */
export function activity(size: SampleSize): string {
	return `
insert into sessions (id, customer_id, address, user_agent, started_at, last_seen_at)
select md5('session ' || n)::uuid, 1 + pg_temp.pick(n, 81, ${size.customers}),
	(case when pg_temp.pick(n, 82, 5) = 0 then '2001:db8::' || to_hex(pg_temp.pick(n, 83, 65536)) || '/64'
		else '192.0.2.' || pg_temp.pick(n, 84, 256) end)::inet,
	pg_temp.some(n, 85, '{Firefox,Chrome,Safari,NULL}'), started_at,
	case when pg_temp.pick(n, 86, 30) > 0 then started_at + pg_temp.pick(n, 87, 240) * interval '1 hour' end
from (
	select n, timestamptz '${size.today} 00:00:00Z' - interval '11 days' - pg_temp.pick(n, 88, 700 * 86400) * interval '1 second' as started_at
	from generate_series(1, ${size.sessions}) n
) timed;
`
}
