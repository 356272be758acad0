import type { ArchivedTransaction, CaptureIncident, ChangeRows, MissedChanges } from '@reprieve/contracts'

/**
 * Where a row stands in its lineage's history; places order by position, then ordinal. That of a relink has 2^31 added:
 * whether an update is one is known at COMMIT, when other rows behind it may have been sent.
 */
export type Place = { position: bigint; ordinal: number }

/** What every frame says of itself. */
export type FrameHeader = {
	/** Name of the source database. */
	database: string
	lineage: string
	/** Changes with the topic, the number of partitions and the source; see the vault's lineage record. */
	epoch: number
	/** Random id of the capture life that sent it. */
	session: string
	topic: string
	partition: number
	/**
	 * Place of what went to this partition before. Whatever the partition has behind it and up to the frame's last place
	 * is in the frame. The first frame of a session names the session's start, where S is the slot's confirmed position:
	 * { position: S - 1, ordinal: 0xffffffff }. The last place of transactions is { position: received - 1, ordinal:
	 * 0xffffffff }.
	 */
	predecessor: Place
	/** Carries something that somebody waits for: archived at once. */
	isUrgent: boolean
}

/** Rows of one schema version of one table in the order of their places. */
export type RowsFrame = {
	kind: 'rows'
	header: FrameHeader
	rows: ChangeRows
	/** The last row's transaction has no more rows in this partition. */
	isComplete: boolean
}

/** Which partition holds how much of a transaction, and the place of the last of it there. */
export type FrameShare = { table: string; topic: string; partition: number; rows: number; final: Place }

/** A transaction as capture saw it, after every frame of its rows was acknowledged by the broker. */
export type SentTransaction = {
	/** Undefined when it holds nothing that the archive keeps. */
	archived?: ArchivedTransaction
	position: bigint
	end: bigint
	xid: number
	committedAt: bigint
	isUrgent: boolean
	incidents: CaptureIncident[]
	gaps: MissedChanges[]
	shares: FrameShare[]
}

/** Transactions in commit order; of the topic of transactions, which has one partition. */
export type TransactionsFrame = {
	kind: 'transactions'
	header: FrameHeader
	transactions: SentTransaction[]
	/** Everything of the log before it was received and is in this frame or an earlier one: a keepalive made durable. */
	received: bigint
	/** The epoch's last word: everything before it is all that there will be in this epoch. */
	isFinal: boolean
}

export type Frame = RowsFrame | TransactionsFrame
