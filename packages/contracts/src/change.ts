import type { SourceTable } from './table.ts'

/**
 * One column of many rows as PostgreSQL text: the value of row i is bytes[offsets[i] .. offsets[i+1]],
 * and it is NULL where present[i] is 0. No strings are made on the hot path.
 */
export type TextColumn = {
	bytes: Uint8Array
	/** rows + 1 entries. */
	offsets: Uint32Array
	/** One byte a row: 1 a value, 0 NULL. */
	present: Uint8Array
}

/** Kinds of a change, in the order of their codes in {@link ChangeRows.op}. */
export const changeOps = ['delete', 'relink', 'move', 'overwrite'] as const
export type ChangeOp = (typeof changeOps)[number]

/**
 * Changes of one source table (a partition root stands for its leaves), columnar. All arrays have `count` entries.
 * This is what capture hands to the vault and what the vault hands back.
 */
export type ChangeRows = {
	/** The schema version under which the rows were written. */
	table: SourceTable
	count: number
	/** Parallel to `table.columns`; a column that the stream does not carry (generated) is all NULL. */
	columns: TextColumn[]
	/** Index into {@link changeOps}. */
	op: Uint8Array
	/** Commit position (LSN of the commit record) of the row's transaction. */
	position: BigUint64Array
	/** Place of the change in its transaction, from 0, over all tables. */
	ordinal: Uint32Array
	/** 32-bit transaction id as the stream gives it. */
	xid: Uint32Array
	/** Microseconds since 1970-01-01 UTC. */
	committedAt: BigInt64Array
	/** Name of the leaf partition that held the row (schema-qualified as formatTableName); null when the table is no partition. */
	leaf: (string | null)[]
	/** For a relink: the rewritten columns' new values (null = NULL), else null. */
	rewritten: (Record<string, string | null> | null)[]
}

/** Position in the log of one lineage; surfaces show it as the opaque string of formatPosition. */
export type Position = { timeline: number; lsn: bigint }

/** Rows per table and kind; keys are formatTableName of the root. */
export type RowCounts = Record<string, { deleted: number; relinked: number }>

/** One archived transaction: a row of the vault's `_transactions`. */
export type ArchivedTransaction = {
	position: Position
	/** Position just behind the commit record: what may be acknowledged. */
	end: bigint
	xid: number
	committedAt: bigint
	/** Rows decoded and archived per table; moves and overwrites are not counted. */
	rows: RowCounts
	/** Verified tag, when one of ours. */
	tag?: Tag
	/** Verified seal, when there is one. */
	seal?: Seal
	/** An application's own unsigned tag. */
	claim?: { actor: string; reason: string }
	/** Nonces of barriers in this transaction. */
	barriers: string[]
}

/** First signed message of a batch or of a restore's transaction. Prefix `reprieve.tag`. */
export type Tag = {
	kind: 'run' | 'restore'
	lineage: string
	/** pg_current_xact_id() as text (64 bits). */
	xid: string
	/** Run or restore id. */
	id: string
	batch: number
	actor: string
	reason: string
}

/** Signed message that closes a batch. Prefix `reprieve.seal`. */
export type Seal = {
	lineage: string
	xid: string
	id: string
	batch: number
	/** Rows that the batch's own statements deleted and relinked, per root. */
	rows: RowCounts
	/** Rows that acknowledged triggers deleted besides, per root. */
	collateral: RowCounts
}

/**
 * Signed message with the images of live rows that a restore overwrote in its transaction; each row becomes a change
 * of kind `overwrite` of `table`. Prefix `reprieve.overwrite`; a transaction may carry several.
 */
export type Overwritten = {
	lineage: string
	xid: string
	/** Restore id. */
	id: string
	batch: number
	/** formatTableName of the root. */
	table: string
	/** OID of the root. */
	oid: number
	/** Stored columns of the table, generated ones left out. */
	columns: string[]
	/** PostgreSQL text, parallel to `columns`; null is NULL. */
	rows: (string | null)[][]
}

/** Prefixes of reprieve's transactional logical messages. */
export const messagePrefix = {
	tag: 'reprieve.tag',
	seal: 'reprieve.seal',
	/** Body: {actor, reason}; unsigned. */
	claim: 'reprieve.claim',
	/** Body: the nonce. */
	barrier: 'reprieve.barrier',
	/** Body: OID of the leaf whose rows the guard deleted before a TRUNCATE. */
	truncate: 'reprieve.truncate',
	/** Signed. Body: {@link Overwritten}. */
	overwrite: 'reprieve.overwrite',
} as const

/** Something that must not go unseen; recorded in `reprieve.incidents`, where the gate reads it. */
export type CaptureIncident = {
	/** The same incident seen again has the same id. */
	id: string
	code: string
	message: string
	/** What the operator does. */
	remedy: string
	/** formatTableName of the root. */
	table?: string
	position?: bigint
	/** Capture does not go on before it is resolved. */
	stopsCapture: boolean
}

/** A range of one table that was not archived. */
export type MissedChanges = { table: string; position: bigint; reason: string }
