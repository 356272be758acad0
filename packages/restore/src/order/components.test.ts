import { expect, test } from 'vitest'
import { orderByForeignKeys } from './components.ts'

test('parents come before children', () => {
	const order = orderByForeignKeys(
		[3, 2, 1],
		[
			{ child: 3, parent: 2 },
			{ child: 2, parent: 1 },
		],
	)
	expect(order.map((component) => component.tables)).toEqual([[1], [2], [3]])
})

test('a cycle is one component, and says so', () => {
	const order = orderByForeignKeys(
		[1, 2, 3],
		[
			{ child: 1, parent: 2 },
			{ child: 2, parent: 1 },
			{ child: 3, parent: 1 },
		],
	)
	expect(order).toEqual([
		{ tables: [1, 2], internal: true },
		{ tables: [3], internal: false },
	])
})

test('a self reference is internal', () => {
	expect(orderByForeignKeys([1], [{ child: 1, parent: 1 }])).toEqual([{ tables: [1], internal: true }])
})

test('a foreign key to a table outside the selection orders nothing', () => {
	expect(orderByForeignKeys([1], [{ child: 1, parent: 9 }])).toEqual([{ tables: [1], internal: false }])
})
