import { ReprieveError } from '@reprieve/contracts'

/** Start of a transaction: protocol 1 sends whole transactions, so the commit's position and time are known here. */
export type Begin = {
	/** LSN of the commit record: the transaction's position. */
	position: bigint
	/** Microseconds since 1970-01-01 UTC. */
	committedAt: bigint
	/** 32 bits, unsigned. */
	xid: number
}

export type Commit = {
	position: bigint
	/** Just behind the commit record: what may be acknowledged. */
	end: bigint
	committedAt: bigint
}

export type RelationColumn = {
	name: string
	typeOid: number
	typmod: number
	/** Part of the replica identity. */
	key: boolean
}

/** The shape of a relation as of the changes that follow. */
export type Relation = {
	oid: number
	schema: string
	name: string
	/** Replica identity: d, n, f or i. */
	identity: string
	columns: RelationColumn[]
}

export type LogicalMessage = {
	transactional: boolean
	position: bigint
	prefix: string
	/** A view into the message's buffer. */
	content: Uint8Array
}

/** Which old image a change carries: O the whole row, K the identity's columns only. */
export type OldImage = 'O' | 'K'

export const nullLength = -1
export const unchangedLength = -2

/**
 * Where a row's values lie in `bytes`: value i is bytes[start[i] .. start[i] + length[i]], {@link nullLength} for NULL,
 * {@link unchangedLength} for a toasted value that was not sent. Reused by the decoder: a new row is valid during its
 * callback, an old one until the next update or delete.
 */
export type Tuple = { bytes: Uint8Array; count: number; start: Int32Array; length: Int32Array }

/** What the decoder calls, in stream order, synchronously. */
export interface PgoutputHandler {
	begin(begin: Begin): void
	commit(commit: Commit): void
	relation(relation: Relation): void
	insert(relation: number, row: Tuple): void
	/** `image` is undefined when the old row was not sent; `old` is then empty. */
	update(relation: number, image: OldImage | undefined, old: Tuple, row: Tuple): void
	delete(relation: number, image: OldImage, old: Tuple): void
	truncate(relations: number[]): void
	message(message: LogicalMessage): void
}

/** Raised for bytes that are not what the protocol says; nothing behind them can be trusted. */
export function malformed(detail: string): ReprieveError {
	return new ReprieveError('INTERNAL', `the replication stream is malformed: ${detail}`, {
		hint: 'Check that the server is PostgreSQL 15 or newer and that no proxy changes the stream.',
	})
}
