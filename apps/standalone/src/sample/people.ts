import type { SampleSize } from './seed.ts'

const first = `'{Ada,Ben,Clara,Dmitri,Elif,Farid,Grace,Hugo,Ines,Jonas,Kaya,Liam,Mira,Nils,Olga,Pavel,Quinn,Rosa,Sven,Tara,Uma,Viktor,Wei,Yara,Zoë}'::text[]`
const last = `'{Abadi,Berg,Costa,Dubois,Eriksen,Fischer,Garcia,Haas,Ivanova,Jansen,Kowalski,Lindqvist,Moreau,Novak,Okafor,Petrov,Quist,Rossi,Sato,Tanaka,Ueda,Vargas,Weber,Yilmaz,Zhang}'::text[]`

/** Of each hundred customers one registered again with the e-mail in another case, and one under the same username. */
export function people(size: SampleSize): string {
	return `
insert into employees (id, manager_id, name, hired_on)
select n, case when n > 1 then 1 + pg_temp.pick(n, 1, least(n - 1, 9)) end,
	pg_temp.some(n, 2, ${first}) || ' ' || pg_temp.some(n, 3, ${last}), date '${size.today}' - pg_temp.pick(n, 4, 4000)::int
from generate_series(1, 60) n;

insert into customers (username, email, full_name, phone, country, birth_date, referrer_id, preferences, created_at, updated_at)
select username, email, full_name, phone, country, birth_date, referrer_id, preferences, created_at,
	case when pg_temp.pick(n, 21, 3) > 0 then created_at + pg_temp.pick(n, 22, 5000) * interval '1 hour' end
from (
	select n,
		lower(first || '.' || last) || origin as username,
		case
			when n = origin and pg_temp.pick(n, 5, 50) = 0 then null
			when n = origin or again = 'username' then lower(first || '.' || last) || n || '@example.' || pg_temp.some(origin, 6, '{com,org,net}')
			else initcap(first) || '.' || upper(last) || origin || '@Example.' || pg_temp.some(origin, 6, '{com,org,net}')
		end as email,
		case pg_temp.pick(n, 7, 80) when 0 then null when 1 then '  ' else first || ' ' || last end as full_name,
		case when pg_temp.pick(n, 8, 5) > 0 then '+' || 10 + pg_temp.pick(n, 9, 80) || ' ' || 1000000 + pg_temp.pick(n, 10, 8999999) end as phone,
		pg_temp.some(n, 11, '{DE,FR,GB,IT,JP,NL,PL,SE,TR,US,NULL}') as country,
		case when pg_temp.pick(n, 12, 4) > 0 then date '1940-01-01' + pg_temp.pick(n, 13, 25000)::int end as birth_date,
		case when n > 100 and pg_temp.pick(n, 14, 20) = 0 then 1 + pg_temp.pick(n, 15, n - 1) end as referrer_id,
		case when pg_temp.pick(n, 16, 3) = 0 then jsonb_build_object('newsletter', pg_temp.pick(n, 17, 2) = 0, 'theme', pg_temp.some(n, 18, '{light,dark}')) end as preferences,
		timestamptz '${size.today} 00:00:00Z' - interval '4 years' + n * (interval '4 years' / ${size.customers})
			+ pg_temp.pick(n, 19, 3600000000) * interval '1 microsecond' as created_at
	from (
		select n, origin, again, pg_temp.some(origin, 23, ${first}) as first, pg_temp.some(origin, 24, ${last}) as last
		from (
			select n,
				case when n % 100 in (7, 57) and n > 1000 then 1 + (n - 1) / 100 * 97 else n end as origin,
				case when n % 100 = 57 and n > 1000 then 'username' else 'email' end as again
			from generate_series(1, ${size.customers}) n
		) numbered
	) named
) rows
order by n;

insert into addresses (customer_id, line, city, postcode, is_default)
select c, 1 + pg_temp.pick(c, 31, 200) || ' ' || pg_temp.some(c * 3 + n, 32, '{High Street,Rue de la Paix,Hauptstraße,Via Roma,Ulica Długa,桜通り}'),
	pg_temp.some(c, 33, '{London,Paris,Berlin,Roma,Gdańsk,東京}'),
	case when pg_temp.pick(c * 3 + n, 34, 10) > 0 then lpad(pg_temp.pick(c, 35, 100000)::text, 5, '0') end, n = 1
from generate_series(1, ${size.customers}) c, generate_series(1, 2) n
where n = 1 or pg_temp.pick(c, 36, 4) = 0
order by c, n;
`
}
