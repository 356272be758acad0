/** Categories (a tree) and 500 products. */
export const goods = `
insert into categories (id, parent_id, name)
select n, case when n > 8 then 1 + pg_temp.pick(n, 41, least(n - 1, 20)) end, 'Category ' || n from generate_series(1, 60) n;

insert into products (id, category_id, sku, name, price, tags, attributes)
select n, case when pg_temp.pick(n, 42, 25) > 0 then 1 + pg_temp.pick(n, 43, 60) end, 'SKU-' || lpad(n::text, 5, '0'),
	pg_temp.some(n, 44, '{Lamp,Chair,Desk,Kettle,Rug,Clock,Shelf,Mirror}') || ' ' || n,
	(199 + pg_temp.pick(n, 45, 49900)) / 100.0,
	case when pg_temp.pick(n, 46, 6) = 0 then '{}'::text[] else array[pg_temp.some(n, 47, '{new,sale,"last, pieces",NULL}'), 'group ' || n % 7] end,
	jsonb_build_object('weight', pg_temp.pick(n, 48, 20000) / 1000.0, 'colour', pg_temp.some(n, 49, '{red,green,blue}'))
from generate_series(1, 500) n;
`
