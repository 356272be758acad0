import type { ArchivedTransaction, ChangeRows } from '@reprieve/contracts'
import type { PendingSegment } from '@reprieve/vault'
import { expect, test } from 'vitest'
import type { CommittedTransaction } from '../capture/transaction.ts'
import { planBatch } from './batch.ts'
import type { TableBuffer } from './buffer.ts'

const buffer = { label: 't' } as TableBuffer
const rows = { count: 1 } as ChangeRows
const segment = { path: 'data/a.parquet' } as PendingSegment
const idle = { transactions: [], shares: [], received: 100n, archived: 100n, isKeepaliveDue: true }

test('nothing committed and nothing received is nothing to do', () => {
	expect(planBatch(idle)).toBeUndefined()
})

test('a keepalive is made durable before it is acknowledged, and only when it is due', () => {
	expect(planBatch({ ...idle, received: 150n })).toEqual({
		write: [],
		commit: [],
		append: { position: 150n, transactions: [] },
		record: [],
		acknowledge: 150n,
	})
	expect(planBatch({ ...idle, received: 150n, isKeepaliveDue: false })).toBeUndefined()
})

test('every table is committed at the newest transaction, the record reaches to what was received', () => {
	const transactions = [at(110n), at(120n)]
	const other = { label: 'u' } as TableBuffer
	const shares = [
		{ buffer, rows: [rows], spilled: [segment] },
		{ buffer: other, rows: [], spilled: [] },
	]
	const batch = planBatch({ ...idle, transactions, shares, received: 130n })
	expect(batch?.write).toEqual([{ buffer, rows }])
	expect(batch?.commit).toEqual([{ buffer, segments: [segment], position: 120n }])
	expect(batch?.append).toEqual({ position: 130n, transactions: transactions.map((one) => one.archived) })
	expect(batch?.acknowledge).toBe(130n)
})

test('a transaction that the vault has already is recorded again, not appended again', () => {
	const batch = planBatch({ ...idle, transactions: [at(90n)], received: 150n, isKeepaliveDue: false })
	expect(batch?.append).toBeUndefined()
	expect(batch?.record.length).toBe(1)
	expect(batch?.acknowledge).toBe(100n)
})

function at(position: bigint): CommittedTransaction {
	const archived = { position: { timeline: 1, lsn: position } } as ArchivedTransaction
	const rest = { end: position + 8n, committedAt: 0n, xid: 1, isUrgent: false, incidents: [], gaps: [] }
	return { archived, position, ...rest }
}
