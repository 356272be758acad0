/**
 * Keys, foreign keys and indexes: added once the rows stand, which is several times faster. What one session does needs
 * no table that another one holds, but for {@link orderKeys}' last step.
 */

/** Of the order lines. */
export const lineKeys = `
alter table order_lines add primary key (order_id, line);
create index on order_lines (product_id);
`

/** Of the payments. */
export const paymentKeys = `
alter table payments add primary key (id, paid_at);
create index on payments (order_id);
`

/** Of employees, goods, customers and what hangs on customers alone. */
export const peopleKeys = `
alter table employees add primary key (id);
alter table categories add primary key (id);
alter table products add primary key (id);
alter table products add unique (sku);
alter table customers add primary key (id);
alter table addresses add primary key (id);
alter table sessions add primary key (id);
alter table curiosities add primary key (id);

alter table employees add foreign key (manager_id) references employees;
alter table categories add foreign key (parent_id) references categories on delete cascade;
alter table products add foreign key (category_id) references categories on delete set null;
alter table customers add foreign key (referrer_id) references customers on delete set null;
alter table addresses add foreign key (customer_id) references customers on delete cascade;
alter table sessions add foreign key (customer_id) references customers on delete cascade;

create index on products (category_id);
create index on customers (referrer_id) where referrer_id is not null;
create index on customers (lower(email));
create index on addresses (customer_id);
create index on sessions (customer_id);
create index on sessions (last_seen_at);

select setval(pg_get_serial_sequence('employees', 'id'), (select max(id) from employees));
select setval(pg_get_serial_sequence('categories', 'id'), (select max(id) from categories));
select setval(pg_get_serial_sequence('products', 'id'), (select max(id) from products));
`

/** Of the orders, and what hangs on orders alone; the payments come last. */
export const orderKeys = `
alter table orders add primary key (id);
create index on orders (customer_id);
create index on orders (employee_id) where employee_id is not null;
alter table order_lines add foreign key (order_id) references orders on delete cascade;
alter table payments add foreign key (order_id) references orders on delete cascade;
`

/** Between the halves. */
export const joiningKeys = `
alter table orders add foreign key (customer_id) references customers on delete cascade;
alter table orders add foreign key (employee_id) references employees on delete set null;
`

/** Statistics of a few tables. */
export function statistics(tables: readonly string[]): string {
	return `set default_statistics_target = 10; analyze ${tables.join(', ')};`
}
