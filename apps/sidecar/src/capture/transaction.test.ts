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

test('a seal of another batch is an incident', () => {
	const named = { lineage: 'l', xid: '7', id: 'run-1' }
	const open = openTransaction({ position: 5n, committedAt: 0n, xid: 7 })
	open.tag = { ...named, kind: 'run', batch: 2, actor: 'ann', reason: 'test' }
	open.seal = { ...named, batch: 1, rows: {}, collateral: {} }
	expect(closeTransaction(open, 6n, 1).incidents).toMatchObject([
		{ code: 'SEAL_MISMATCH', message: 'run run-1, batch 2: its seal names run run-1, batch 1' },
	])
})
