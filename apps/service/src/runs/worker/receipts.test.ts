import { expect, test } from 'vitest'
import { compareReceipt } from './receipts.ts'

const batch = {
	xid: '4294968296',
	rows: { a: { deleted: 3, relinked: 0 }, b: { deleted: 0, relinked: 2 } },
	collateral: { b: { deleted: 1, relinked: 0 } },
}
const receipt = {
	xid: 1000,
	rows: { a: { deleted: 3, relinked: 0 }, b: { deleted: 1, relinked: 2 } },
	sealed: batch.rows,
	collateral: batch.collateral,
}

test('a receipt that equals its seal and its batch proves it', () => {
	expect(compareReceipt(batch, receipt)).toBeUndefined()
})

test('a table with no rows and an absent table are the same', () => {
	expect(
		compareReceipt(batch, { ...receipt, rows: { ...receipt.rows, c: { deleted: 0, relinked: 0 } } }),
	).toBeUndefined()
})

test('one row fewer in the archive is named with both numbers', () => {
	const rows = { ...receipt.rows, a: { deleted: 2, relinked: 0 } }
	expect(compareReceipt(batch, { ...receipt, rows })).toBe('3 rows of a were deleted, 2 were archived')
})

test('one row more in the archive is named', () => {
	const rows = { ...receipt.rows, c: { deleted: 1, relinked: 0 } }
	expect(compareReceipt(batch, { ...receipt, rows })).toBe('0 rows of c were deleted, 1 were archived')
})

test('a seal that differs from the batch is named', () => {
	const sealed = { a: { deleted: 4, relinked: 0 }, b: batch.rows.b }
	expect(compareReceipt(batch, { ...receipt, sealed })).toBe('3 rows of a were deleted, 4 were sealed')
})

test('a missing seal, another collateral and another transaction are named', () => {
	expect(compareReceipt(batch, { ...receipt, sealed: null })).toContain('without a valid seal')
	expect(compareReceipt(batch, { ...receipt, collateral: {} })).toContain('sealed as collateral')
	expect(compareReceipt(batch, { ...receipt, xid: 1001 })).toContain('its receipt is for 1001')
})
