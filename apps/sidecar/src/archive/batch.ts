import type { ArchivedTransaction, ChangeRows } from '@reprieve/contracts'
import type { PendingSegment } from '@reprieve/vault'
import type { Taken } from '../capture/flush-loop.ts'
import type { CommittedTransaction } from '../capture/transaction.ts'
import type { TableBuffer } from './buffer.ts'

/** Where the archive stands when it looks for something to do. */
export type Standing = Taken<PendingSegment> & {
	/** The newest position in `_transactions`. */
	archived: bigint
}

/** What a flush does, in this order. */
export type Batch = {
	write: { buffer: TableBuffer; rows: ChangeRows }[]
	/** One log entry per table, all of them before any receipt. */
	commit: { buffer: TableBuffer; segments: PendingSegment[]; position: bigint }[]
	/** The receipt: only then is a transaction archived. Absent when the vault has it all. */
	append?: { position: bigint; transactions: ArchivedTransaction[] }
	/** Copied to the control schema; those that the vault had already as well, since the copy may be what was lost. */
	record: CommittedTransaction[]
	/** What may be acknowledged afterwards. */
	acknowledge: bigint
}

/** Says what a flush has to do; undefined for nothing. Pure. */
export function planBatch(standing: Standing): Batch | undefined {
	const { transactions, shares, received, archived, isKeepaliveDue } = standing
	const newest = transactions.at(-1)
	const fresh = transactions.flatMap((transaction) =>
		transaction.archived && transaction.position >= archived ? [transaction.archived] : [],
	)
	const isWorthAppending = fresh.length > 0 || (isKeepaliveDue && received > archived)
	if (!newest && !isWorthAppending) return undefined
	return {
		write: shares.flatMap(({ buffer, rows }) => rows.map((version) => ({ buffer, rows: version }))),
		commit: shares
			.filter(({ rows, spilled }) => rows.length > 0 || spilled.length > 0)
			.map(({ buffer, spilled }) => ({ buffer, segments: spilled, position: newest?.position ?? received })),
		...(isWorthAppending && { append: { position: received, transactions: fresh } }),
		record: transactions.filter((transaction) => transaction.archived || transaction.incidents.length > 0),
		acknowledge: isWorthAppending ? received : archived,
	}
}
