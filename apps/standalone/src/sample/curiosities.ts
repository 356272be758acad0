/** 2,000 rows of values that a careless archive would not give back as they were. */
export const curiosities = `
insert into curiosities
select n,
	(array['NaN', 'Infinity', '-0.000', '1e-40', '123456789012345678901234567890.123456789', null])[1 + n % 6]::numeric,
	(array['NaN', '-0', 'Infinity', '-Infinity', '5e-324', '0.1', null])[1 + n % 7]::double precision,
	(array['NaN', '-0', '1.17549435e-38', '16777217', null])[1 + n % 5]::real,
	(array['{"a":1, "a":2,  "b" : [ ]}', '  null ', '"\\u00e9"', null])[1 + n % 4]::json,
	(array['{"a": 1.10, "b": {"c": [1e3, null]}}', 'null', '"é"', null])[1 + n % 4]::jsonb,
	(array['{}', '{NULL,"NULL",""}', '{"a,b","c\\"d","e\\\\f"," g "}', null])[1 + n % 4]::text[],
	(array['{{1,2},{3,4}}', '[0:1]={5,6}', '[-1:0][2:3]={{1,2},{3,NULL}}', '{}', null])[1 + n % 5]::int[],
	(array['empty', '[1,10)', '(,5]', '[7,)', null])[1 + n % 5]::int4range,
	(array['{}', '{["1999-01-01 00:00:00+00","2000-01-01 00:00:00+00"),["2010-01-01 00:00:00+00",)}', null])[1 + n % 3]::tstzmultirange,
	(array['192.0.2.7', '192.0.2.7/24', '2001:db8::1', '::ffff:192.0.2.1/128', null])[1 + n % 5]::inet,
	(array['192.0.2.0/24', '2001:db8::/32', null])[1 + n % 3]::cidr,
	(array['08:00:2b:01:02:03', null])[1 + n % 2]::macaddr,
	case n % 4 when 0 then '\\x' when 1 then '\\x00ff5c0a' when 2 then decode(repeat(md5(n::text), 200), 'hex') end::bytea,
	(array['1 year -2 mons +3 days -04:05:06.789', '0', '-178000000 years', '1 microsecond', null])[1 + n % 5]::interval,
	(array['cart', 'returned', null])[1 + n % 3]::order_status,
	(array['DE', null])[1 + n % 2]::country_code,
	case n % 4 when 0 then row(1.50, 'NaN', 'a "b", (c)')::dimensions when 1 then row(null, null, '')::dimensions when 2 then row(null, null, null)::dimensions end,
	(array['4713-01-01 BC', '0044-03-15 BC', '5874897-12-31', 'infinity', '-infinity', null])[1 + n % 6]::date,
	(array['4713-01-01 00:00:00+00 BC', '294276-12-31 23:59:59.999999+00', 'infinity', '1970-01-01 00:00:00.000001+00', null])[1 + n % 5]::timestamptz,
	(array['0001-12-31 23:59:59.999999 BC', '-infinity', '2024-02-29 12:00:00', null])[1 + n % 4]::timestamp,
	(array['24:00:00-15:59', '00:00:00.000001+14', null])[1 + n % 3]::timetz,
	(array['', '1', '1011011101', null])[1 + n % 4]::bit varying,
	(array['(-0,1e-300)', '(NaN,Infinity)', '(1.1,2.2)', null])[1 + n % 4]::point,
	(array['-92233720368547758.08', '0.01', null])[1 + n % 3]::money,
	(array['''a'':1A,3 ''b'':2', '', null])[1 + n % 3]::tsvector
from generate_series(1, 2000) n;
`
