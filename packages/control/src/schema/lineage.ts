import type { Finding, RowCounts } from '@reprieve/contracts'
import { bigint, bigserial, boolean, index, integer, jsonb, primaryKey, text } from 'drizzle-orm/pg-core'
import { instant, lsn, reprieve } from './columns.ts'

/** The lineages of this database, one of them open. */
export const lineages = reprieve.table('lineages', {
	id: text().primaryKey(),
	systemIdentifier: text('system_identifier').notNull(),
	databaseOid: bigint('database_oid', { mode: 'number' }).notNull(),
	slot: text().notNull(),
	timeline: integer().notNull(),
	/** Names the vault's newest acknowledged commit; written before each acknowledgement. */
	nonce: text(),
	/** The one before: the vault may not have heard of `nonce` when capture was killed. */
	previousNonce: text('previous_nonce'),
	nonceAt: lsn('nonce_at'),
	/** How changes reach the vault: `stream`, `frames` or `debezium`. */
	channel: text().$type<'stream' | 'frames' | 'debezium'>().notNull().default('stream'),
	openedAt: instant('opened_at').notNull(),
	closedAt: instant('closed_at'),
})

/** One row: where capture stands, as the gate and the status read it. */
export const captureState = reprieve.table('capture_state', {
	id: integer().primaryKey().default(1),
	lineage: text().notNull(),
	state: text().$type<'starting' | 'streaming' | 'stopped'>().notNull(),
	received: lsn(),
	archived: lsn(),
	acknowledged: lsn(),
	/** What capture itself found wrong on its way to the vault; each closes the gate of every table. */
	findings: jsonb().$type<Finding[]>().notNull().default([]),
	heartbeatAt: instant('heartbeat_at').notNull(),
})

/** Copy of the vault's `_transactions`: rebuilt from there when lost. */
export const receipts = reprieve.table(
	'receipts',
	{
		lineage: text().notNull(),
		timeline: integer().notNull(),
		/** Commit position. */
		position: lsn().notNull(),
		xid: bigint({ mode: 'number' }).notNull(),
		committedAt: instant('committed_at').notNull(),
		archivedAt: instant('archived_at').notNull(),
		/** `run` or `restore` of a verified tag. */
		kind: text().$type<'run' | 'restore'>(),
		jobId: text('job_id'),
		batch: integer(),
		/** Rows decoded and archived per root. */
		rows: jsonb().$type<RowCounts>().notNull(),
		/** Rows of the verified seal. */
		sealed: jsonb().$type<RowCounts>(),
		collateral: jsonb().$type<RowCounts>(),
	},
	(table) => [
		primaryKey({ columns: [table.lineage, table.timeline, table.position] }),
		index('receipts_job').on(table.kind, table.jobId, table.batch),
	],
)

/** Barriers whose transaction is in the vault. */
export const barriers = reprieve.table('barriers', {
	nonce: text().primaryKey(),
	position: lsn().notNull(),
	timeline: integer().notNull(),
	archivedAt: instant('archived_at').notNull(),
})

/** Rows written and deleted to prove capture live; nothing else is ever written by a probe. */
export const canary = reprieve.table('canary', { nonce: text().primaryKey(), note: text().notNull() })

export const protectedTables = reprieve.table('protected_tables', {
	oid: bigint({ mode: 'number' }).primaryKey(),
	schema: text().notNull(),
	name: text().notNull(),
	/** OID of the partition root, itself when it is none. */
	rootOid: bigint('root_oid', { mode: 'number' }).notNull(),
	/** r ordinary, p partitioned root. */
	kind: text().$type<'r' | 'p'>().notNull(),
	/** asked, partition, inheritance, cascade, setNull, setDefault. */
	why: text().notNull(),
	/** The identity to put back: d, n, f or i, with the index's name for i. */
	formerIdentity: text('former_identity').notNull(),
	formerIndex: text('former_index'),
	truncate: text().$type<'refuse' | 'archive'>().notNull(),
	status: text().$type<'pending' | 'ready'>().notNull(),
	/** pg_current_xact_id of the protecting transaction: older ones must end first. */
	changedXid: text('changed_xid').notNull(),
	changedAt: instant('changed_at').notNull(),
	proofNonce: text('proof_nonce'),
	acknowledged: jsonb().$type<string[]>().notNull(),
	protectedSince: instant('protected_since'),
	createdAt: instant('created_at').notNull(),
})

export const captureGaps = reprieve.table('capture_gaps', {
	id: text().primaryKey(),
	lineage: text().notNull(),
	/** formatTableName; absent: all tables. */
	table: text(),
	fromPosition: lsn('from_position'),
	toPosition: lsn('to_position'),
	since: instant(),
	until: instant(),
	reason: text().notNull(),
	recordedAt: instant('recorded_at').notNull(),
})

export const incidents = reprieve.table('incidents', {
	id: text().primaryKey(),
	code: text().notNull(),
	message: text().notNull(),
	remedy: text().notNull(),
	table: text(),
	position: text(),
	/** True: capture does not go on before it is resolved. */
	stopsCapture: boolean('stops_capture').notNull(),
	at: instant().notNull(),
	resolvedAt: instant('resolved_at'),
	resolvedBy: text('resolved_by'),
})

/** Publications of others that take in our tables, acknowledged by name. */
export const acknowledgements = reprieve.table('acknowledgements', {
	code: text().primaryKey(),
	principal: text().notNull(),
	at: instant().notNull(),
})

export const audit = reprieve.table('audit', {
	seq: bigserial({ mode: 'bigint' }).primaryKey(),
	at: instant().notNull(),
	principal: text().notNull(),
	role: text().notNull(),
	act: text().notNull(),
	target: text(),
	outcome: text().notNull(),
	requestId: text('request_id').notNull(),
	detail: jsonb().$type<Record<string, unknown>>(),
	/** Hash of the entry before. */
	previous: text().notNull(),
	hash: text().notNull(),
})
