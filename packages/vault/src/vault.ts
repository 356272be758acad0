import type { ArchivedTransaction, ChangeRows, SourceTable, TableName } from '@reprieve/contracts'
import type { Branch } from './branch.ts'
import type { VaultColumn } from './columns.ts'
import type { CompactOptions } from './compact.ts'
import type { SweepOptions } from './sweep.ts'

/** A segment object that is durable but invisible until a commit names it. */
export type PendingSegment = {
	path: string
	rows: number
	size: number
	sha256: string
	/** Delta statistics, exact or absent. */
	stats: string
	/** Places in the log that its rows span. */
	range: string
	/** Filters of its keys, when it is small. */
	filters?: string
	/** The schema version that the segment was written under. */
	schema: SourceTable
	/** The vault's columns, parallel to those of `schema`. */
	columns: VaultColumn[]
	/** Id of the key that the object is encrypted under; absent: it is not. */
	key?: string
}

/** Whether a log already holds what a commit brings; `alreadyArchived` when its `txn` of the source is at or beyond. */
export type CommitOutcome = { outcome: 'committed' | 'alreadyArchived'; version: number }

export type TableCommit = {
	source: string
	position: bigint
	segments: PendingSegment[]
	/** Position that the writer believes the source to have; null: none yet. Absent: any that the segments follow. */
	after?: bigint | null
	/** Further `txn` of the same entry: source -> number; where a reader of the source goes on, a gap that it left. */
	marks?: { source: string; position: bigint }[]
}

export type ReadQuery = {
	/** Column name -> PostgreSQL text; a row matches any of them by text equality of the native values. */
	keys?: Record<string, string | null>[]
	/** Commit positions of whole transactions. */
	transactions?: bigint[]
	/** Single changes. */
	changes?: { position: bigint; ordinal: number }[]
	/** Commit positions, both inclusive. */
	positions?: { from?: bigint; to?: bigint }
	/** Microseconds since 1970: from inclusive, to exclusive. */
	committed?: { from?: bigint; to?: bigint }
	/** Only what lies behind this change in (position, ordinal) order (before it, when descending). */
	after?: { position: bigint; ordinal: number }
	/** Newest first. Default false. */
	descending?: boolean
	/** At most so many rows. */
	limit?: number
	/** Places of the columns that are wanted of rows of a schema version; the others come without values. Default: all. */
	columns?: (table: SourceTable) => ReadonlySet<number>
}

/** The archive of one source table: a Delta Lake table. */
export interface VaultTable {
	readonly name: TableName
	/** The newest commit position of a source in this log, by its `txn` action. */
	archived(source: string): Promise<bigint | undefined>
	/** Every source of the log's `txn` actions with its newest commit position. The log's newest entry is named in `_transactions` next. */
	sources(): Promise<ReadonlyMap<string, bigint>>
	/** Writes rows (any number, of one schema version) into segment objects: durable, not yet visible. */
	write(rows: ChangeRows): Promise<PendingSegment[]>
	/**
	 * One log entry: the segments, their schema version when new, and `txn` (source -> position, and with it the `marks`).
	 * Put-if-absent. Throws CONFLICT (retryable) when the source is not where `after` says, so that a stale writer
	 * commits nothing.
	 */
	commit(entry: TableCommit): Promise<CommitOutcome>
	/** Schema versions in the order in which they were archived. */
	schemas(): Promise<SourceTable[]>
	/** Rows in (position, ordinal) order, in chunks; every object is checked against its digest before a row leaves. */
	read(query: ReadQuery): AsyncIterable<ChangeRows>
	/** Rows in the table, from the log alone. */
	rowCount(): Promise<number>
	/**
	 * Merges small segments into larger ones sorted by key, and takes new segments into the key index. Answers how many segments
	 * went in and came out.
	 */
	compact(options?: CompactOptions): Promise<{ merged: number; written: number }>
	/** Writes a checkpoint when the log has grown by `every` entries since the newest (default 20). */
	checkpoint(options?: { every?: number }): Promise<boolean>
	/** Reads every object of the table and compares digests, sizes and the chain of log entries. */
	verify(): AsyncIterable<VerifiedObject>
	/** Deletes what no log entry has named for `retentionMs` (default 7 days), and log entries below the newest checkpoint as old. */
	sweep(options?: SweepOptions): Promise<{ segments: number; entries: number }>
}

export type VerifiedObject = { object: string; bytes: number; problem?: string }

/** A transaction as the vault's record has it. */
export type RecordedTransaction = ArchivedTransaction & {
	/** Absent where it was written before records named it. */
	lineage?: string
	/** It lies beyond the end of its timeline: the primary that was promoted never had it. */
	isUndone?: true
}

/** The vault's record of transactions: its commit is what makes a receipt. */
export interface TransactionLog {
	archived(source: string): Promise<bigint | undefined>
	/** The timelines that a lineage has left, by the `txn` of this log: `timeline` too, where following a promotion was cut short. */
	branch(lineage: Pick<VaultLineage, 'id' | 'timeline'>): Promise<Branch>
	/**
	 * `position` may lie beyond the newest transaction: a keepalive made durable. An empty list is allowed. `after` and
	 * `marks` as in a {@link TableCommit}; `lineage` where it is not the source's own name.
	 */
	append(
		entry: Pick<TableCommit, 'source' | 'position' | 'after' | 'marks'> & {
			transactions: ArchivedTransaction[]
			lineage?: string
		},
	): Promise<CommitOutcome>
	/** In position order. */
	read(query: {
		positions?: { from?: bigint; to?: bigint }
		exact?: bigint[]
		committed?: { from?: bigint; to?: bigint }
		job?: { kind: 'run' | 'restore'; id: string }
	}): AsyncIterable<RecordedTransaction>
	/** As a table's, and each table's newest entry that this log names must be there. */
	verify(): AsyncIterable<VerifiedObject>
	/** Deletes what no log entry has named for `retentionMs` (default 7 days), and log entries below the newest checkpoint as old. */
	sweep(options?: SweepOptions): Promise<{ segments: number; entries: number }>
	compact(options?: Omit<CompactOptions, 'batchRows'>): Promise<{ merged: number; written: number }>
	checkpoint(options?: { every?: number }): Promise<boolean>
}

/** One lineage as the vault knows it. */
export type VaultLineage = {
	id: string
	systemIdentifier: string
	databaseOid: number
	slot: string
	timeline: number
	openedAt: string
	closedAt?: string
	/** How changes reach the vault; absent: `stream`, epoch 0. A new epoch begins after the old one is drained. */
	channel?: Channel
	/** Nonces of the newest acknowledgements, newest last; at start the database must know the newest. */
	nonces: { nonce: string; position: string }[]
	/** Version of the record that was read; a new lineage has none. */
	version?: number
}

/** The way of changes into the vault: the stream itself, our frames in Kafka, or Debezium's events. */
export type Channel = {
	epoch: number
	kind: 'stream' | 'frames' | 'debezium'
	/** Prefix of the topics. */
	prefix?: string
	/** Partitions of each table's topic. */
	partitions?: number
	/** Position at which the epoch began. */
	from?: string
}

/** A verification key of tags and seals. */
export type VaultKey = { id: string; publicKey: string; validFrom: string; validTo?: string }

/** Cold storage of one database under one root. */
export interface Vault {
	readonly database: string
	table(name: TableName): VaultTable
	/** Tables that have an archive; lists folders, so not for the hot path. */
	tables(): Promise<TableName[]>
	readonly transactions: TransactionLog
	/** Every lineage, oldest first, each with the version of its record. */
	lineages(): Promise<VaultLineage[]>
	/**
	 * Puts the record that follows the version it carries, or a new lineage's where it carries none, and answers it with its
	 * new version; throws CONFLICT when another one follows already.
	 */
	putLineage(lineage: VaultLineage): Promise<VaultLineage>
	/**
	 * Takes or renews the capture lease of a lineage; throws CONFLICT while another owner's lease is unexpired, and for a
	 * renewal when another owner has had it since.
	 */
	lease(lineage: string, owner: string, ttlMs: number, options?: { isRenewal: boolean }): Promise<void>
	keys(): Promise<VaultKey[]>
	putKey(key: VaultKey): Promise<void>
	/** Appends an audit object: what is done beside the service, and where the service's own audit stood. */
	putAudit(entry: Record<string, unknown>): Promise<void>
	/** Every audit object, oldest first, each with `at`. Throws VAULT_CORRUPT for one that is not what was written. */
	audit(): AsyncIterable<Record<string, unknown>>
	close(): Promise<void>
}
