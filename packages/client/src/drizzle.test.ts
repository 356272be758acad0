import { policy } from '@reprieve/contracts'
import { bigint, integer, pgSchema, pgTable, text, timestamp } from 'drizzle-orm/pg-core'
import { expect, test } from 'vitest'
import {
	and,
	compare,
	duplicatesOf,
	incompleteIn,
	isNull,
	lower,
	matchesIn,
	orphansIn,
	staleIn,
	tableName,
} from './drizzle.ts'

const customers = pgTable('customers', {
	id: bigint({ mode: 'bigint' }).primaryKey(),
	email: text(),
	visits: integer(),
	createdAt: timestamp('created_at', { withTimezone: true }).notNull(),
})
const orders = pgSchema('odd.shop').table('orders', { id: integer().primaryKey(), customerId: integer('customer_id') })

test('a duplicates policy names the columns as the database does', () => {
	const made = duplicatesOf(customers, {
		key: [lower(customers.email), customers.visits],
		keep: 'newest',
		by: customers.createdAt,
	})
	expect(policy.parse(made)).toMatchObject({
		kind: 'duplicates',
		table: 'customers',
		key: [{ column: 'email', normalise: 'lower' }, 'visits'],
		keep: 'newest',
		by: 'created_at',
	})
})

test('every kind is a policy that the contract accepts', () => {
	const made = [
		staleIn(customers, { column: customers.createdAt, olderThan: 'P90D', where: isNull(customers.email) }),
		orphansIn(orders, { columns: [orders.customerId], references: { table: customers, columns: [customers.id] } }),
		incompleteIn(customers, { missing: [customers.email], blank: true }),
		matchesIn(customers, { where: and(compare(customers.id, 'gt', 5n), compare(customers.visits, 'eq', 0)) }),
	]
	for (const each of made) expect(policy.parse(each)).toMatchObject({ kind: each.kind })
	expect(policy.parse(made[3])).toMatchObject({
		where: {
			and: [
				{ column: 'id', op: 'gt', value: '5' },
				{ column: 'visits', op: 'eq', value: 0 },
			],
		},
	})
})

test('a table of an odd schema is named as SQL quotes it', () => {
	expect(tableName(orders)).toBe('"odd.shop".orders')
})

/** Compiled, never run: each line below a `@ts-expect-error` must not compile. */
export function compileTimeChecks(): void {
	// @ts-expect-error a column of another table
	duplicatesOf(customers, { key: [orders.customerId], keep: 'mostComplete' })
	// @ts-expect-error a normalised column of another table
	duplicatesOf(orders, { key: [lower(customers.email)], keep: 'mostComplete' })
	// @ts-expect-error newest needs the column that says so
	duplicatesOf(customers, { key: [customers.email], keep: 'newest' })
	// @ts-expect-error the column that says so is another table's
	duplicatesOf(customers, { key: [customers.email], keep: 'newest', by: orders.id })
	// @ts-expect-error a number has no letter case
	lower(customers.visits)
	// @ts-expect-error a number is no moment
	staleIn(customers, { column: customers.visits, olderThan: 'P90D' })
	// @ts-expect-error the referenced column is not the referenced table's
	orphansIn(orders, { columns: [orders.customerId], references: { table: customers, columns: [orders.id] } })
	// @ts-expect-error a predicate over another table
	matchesIn(orders, { where: isNull(customers.email) })
	// @ts-expect-error a text is compared with a text
	compare(customers.email, 'eq', 5)
	// @ts-expect-error predicates over two tables do not go together
	matchesIn(customers, { where: and(isNull(customers.email), isNull(orders.customerId)) })
}
