import { expect, test } from 'vitest'
import { closeTransaction, count, openTransaction } from './transaction.ts'

test('rows are counted for tables of any name', () => {
	const open = openTransaction({ position: 5n, committedAt: 0n, xid: 7 })
	open.archivedRows = 3
	for (const table of ['t', '__proto__', 'constructor']) count(open, table, 'deleted')
	const { archived } = closeTransaction(open, 6n, 1)
	expect(Object.keys(archived?.rows ?? {})).toEqual(['t', '__proto__', 'constructor'])
	expect(JSON.parse(JSON.stringify(archived?.rows))).toEqual(archived?.rows)
})
