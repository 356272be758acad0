import type {
	Failure,
	Finding,
	JobStatus,
	PlanStatus,
	Policy,
	Role,
	Row,
	RowCounts,
	RunThrottle,
	Selection,
	Waiting,
} from '@reprieve/contracts'
import { sql } from 'drizzle-orm'
import { bigint, boolean, index, integer, jsonb, primaryKey, real, text } from 'drizzle-orm/pg-core'
import { instant, lsn, reprieve } from './columns.ts'

export const apiKeys = reprieve.table('api_keys', {
	id: text().primaryKey(),
	name: text().notNull(),
	role: text().$type<Role>().notNull(),
	/** SHA-256 of the secret, hex. */
	hash: text().notNull().unique(),
	tables: jsonb().$type<string[]>(),
	/** Id of the key that made this one; `bootstrap` for the first. */
	createdBy: text('created_by').notNull(),
	createdAt: instant('created_at').notNull(),
	revokedAt: instant('revoked_at'),
})

export const idempotency = reprieve.table(
	'idempotency',
	{
		principal: text().notNull(),
		procedure: text().notNull(),
		key: text().notNull(),
		bodyHash: text('body_hash').notNull(),
		/** Absent while the call is in flight. */
		answer: jsonb(),
		createdAt: instant('created_at').notNull(),
		inFlightUntil: instant('in_flight_until'),
	},
	(table) => [primaryKey({ columns: [table.principal, table.procedure, table.key] })],
)

export const policies = reprieve.table(
	'policies',
	{
		name: text().notNull(),
		version: integer().notNull(),
		policy: jsonb().$type<Policy>().notNull(),
		author: text().notNull(),
		createdAt: instant('created_at').notNull(),
	},
	(table) => [primaryKey({ columns: [table.name, table.version] })],
)

/** One source table that a plan touches: where its planned rows lie and how they are addressed. */
export type PlannedTable = {
	/** Root OID and name (a partition root stands for its leaves). */
	oid: number
	table: string
	action: 'delete' | 'setNull' | 'setDefault'
	/** Foreign key that leads here; absent for the policy's own table. */
	foreignKey?: string
	/** Unquoted name in schema reprieve of the per-plan table that holds the rows. */
	rowsTable: string
	/**
	 * Set where each planned row is a unit of its own: a row of the rows table holds up to `rows` of them, from unit `first` on,
	 * each of `columns` as an array; `leaf` (the keeper's too) is not among them where it is the same for all.
	 */
	packed?: { rows: number; columns: string[]; leaf?: number }
	/** Key columns of the source table; the rows table has k1..kn, in this order, of `type`. */
	key: { column: string; typeName: string }[]
	/** Columns that a relink rewrites. */
	rewrites: string[]
	rows: number
}

/** Why a row goes, where that lies in another row. */
export type Witness =
	| { kind: 'none' }
	/** The rows table has w1..wn: the keeper's key; `expressions` are the normalised key's SQL over alias t. */
	| { kind: 'keeper'; expressions: string[] }
	/** The parent must still be absent. */
	| { kind: 'absentParent'; oid: number; columns: string[]; references: string[] }

export type PlanBody = {
	tables: PlannedTable[]
	witness: Witness
	/** Digest over the closure's foreign keys, triggers and rules; re-read by each batch. */
	closureHash: string
	/** Units (closures that never split over two batches), from 1. */
	units: number
	/** Rows of the largest unit. */
	largestUnit: number
	/** Columns of the planned tables and of the witness's parent: a name that comes to mean another column is noticed. */
	columns: { oid: number; attnum: number; name: string }[]
}

export const plans = reprieve.table(
	'plans',
	{
		id: text().primaryKey(),
		lineage: text().notNull(),
		hash: text().notNull(),
		status: text().$type<PlanStatus>().notNull(),
		table: text().notNull(),
		tableOid: bigint('table_oid', { mode: 'number' }).notNull(),
		policy: jsonb().$type<Policy>().notNull(),
		policyName: text('policy_name'),
		policyVersion: integer('policy_version'),
		reason: text(),
		author: text().notNull(),
		rows: bigint({ mode: 'number' }).notNull(),
		dependents: jsonb()
			.$type<{ table: string; action: 'delete' | 'setNull' | 'setDefault'; rows: number }[]>()
			.notNull(),
		blocked: bigint({ mode: 'number' }).notNull(),
		sample: jsonb().$type<Row[]>().notNull(),
		findings: jsonb().$type<Finding[]>().notNull(),
		estimateSeconds: real('estimate_seconds').notNull(),
		estimateBytes: bigint('estimate_bytes', { mode: 'number' }).notNull(),
		body: jsonb().$type<PlanBody>(),
		/** Digest over the per-plan tables' rows; checked when a run starts and resumes. */
		rowsHash: text('rows_hash'),
		failure: jsonb().$type<Failure>(),
		createdAt: instant('created_at').notNull(),
		expiresAt: instant('expires_at').notNull(),
		runId: text('run_id'),
		/** Set for the plan that undoes a restore. */
		undoes: text(),
	},
	(table) => [index('plans_created').on(table.createdAt)],
)

export const approvals = reprieve.table(
	'approvals',
	{
		planId: text('plan_id').notNull(),
		principal: text().notNull(),
		hash: text().notNull(),
		at: instant().notNull(),
	},
	(table) => [primaryKey({ columns: [table.planId, table.principal] })],
)

export const runs = reprieve.table(
	'runs',
	{
		id: text().primaryKey(),
		planId: text('plan_id').notNull().unique(),
		status: text().$type<JobStatus>().notNull(),
		table: text().notNull(),
		reason: text().notNull(),
		actor: text().notNull(),
		planned: bigint({ mode: 'number' }).notNull(),
		deleted: bigint({ mode: 'number' }).notNull().default(0),
		relinked: bigint({ mode: 'number' }).notNull().default(0),
		archived: bigint({ mode: 'number' }).notNull().default(0),
		drifted: bigint({ mode: 'number' }).notNull().default(0),
		collateral: bigint({ mode: 'number' }).notNull().default(0),
		batches: integer().notNull().default(0),
		/** The highest unit done; commits with the deletion. */
		unit: bigint({ mode: 'number' }).notNull().default(0),
		/** Rows that the next batch aims at; adapts to `targetMs`. */
		batchRows: integer('batch_rows').notNull(),
		/** What it never exceeds. */
		batchLimit: integer('batch_limit').notNull().default(100_000),
		targetMs: integer('target_ms').notNull(),
		exposureRows: integer('exposure_rows').notNull(),
		throttle: jsonb().$type<RunThrottle>(),
		waiting: jsonb().$type<Waiting>(),
		rowsPerSecond: real('rows_per_second'),
		/** Fencing: a batch commits only under the epoch that it began with. */
		epoch: integer().notNull().default(0),
		leaseOwner: text('lease_owner'),
		leaseUntil: instant('lease_until'),
		failure: jsonb().$type<Failure>(),
		createdAt: instant('created_at').notNull(),
		startedAt: instant('started_at'),
		finishedAt: instant('finished_at'),
	},
	(table) => [index('runs_created').on(table.createdAt)],
)

export const batches = reprieve.table(
	'batches',
	{
		runId: text('run_id').notNull(),
		batch: integer().notNull(),
		/** pg_current_xact_id() as text. */
		xid: text().notNull(),
		fromUnit: bigint('from_unit', { mode: 'number' }).notNull(),
		toUnit: bigint('to_unit', { mode: 'number' }).notNull(),
		/** As sealed. */
		rows: jsonb().$type<RowCounts>().notNull(),
		collateral: jsonb().$type<RowCounts>().notNull(),
		deleted: integer().notNull(),
		drifted: integer().notNull(),
		milliseconds: integer().notNull(),
		at: instant().notNull(),
		/** Set when its receipt was seen and found equal. */
		position: lsn(),
		archivedAt: instant('archived_at'),
	},
	(table) => [
		primaryKey({ columns: [table.runId, table.batch] }),
		index('batches_exposed').on(table.runId).where(sql`archived_at is null`),
	],
)

export const driftedRows = reprieve.table(
	'drifted_rows',
	{
		runId: text('run_id').notNull(),
		batch: integer().notNull(),
		n: integer().notNull(),
		table: text().notNull(),
		key: jsonb().$type<Row>().notNull(),
		/** changed, gone, keeperGone, keeperChanged, parentCame, newDependent, dependentDrifted. */
		why: text().notNull(),
	},
	(table) => [primaryKey({ columns: [table.runId, table.batch, table.n] })],
)

export type RestoreOptions = {
	conflict: 'stop' | 'skip' | 'overwrite'
	triggers: 'suppress' | 'fire'
	rename: Record<string, Record<string, string>>
	parents: boolean
}

export const restores = reprieve.table(
	'restores',
	{
		id: text().primaryKey(),
		status: text().$type<JobStatus>().notNull(),
		selection: jsonb().$type<Selection>().notNull(),
		options: jsonb().$type<RestoreOptions>().notNull(),
		hash: text().notNull(),
		reason: text().notNull(),
		actor: text().notNull(),
		selected: bigint({ mode: 'number' }).notNull().default(0),
		restored: bigint({ mode: 'number' }).notNull().default(0),
		identical: bigint({ mode: 'number' }).notNull().default(0),
		skipped: bigint({ mode: 'number' }).notNull().default(0),
		conflicts: bigint({ mode: 'number' }).notNull().default(0),
		relinked: bigint({ mode: 'number' }).notNull().default(0),
		verified: bigint({ mode: 'number' }).notNull().default(0),
		/** What the executor needs to go on after a crash. */
		cursor: jsonb(),
		waiting: jsonb().$type<Waiting>(),
		epoch: integer().notNull().default(0),
		leaseOwner: text('lease_owner'),
		leaseUntil: instant('lease_until'),
		report: jsonb(),
		failure: jsonb().$type<Failure>(),
		undoPlanId: text('undo_plan_id'),
		createdAt: instant('created_at').notNull(),
		startedAt: instant('started_at'),
		finishedAt: instant('finished_at'),
	},
	(table) => [index('restores_created').on(table.createdAt)],
)

/** Rows of a restore's report that are not as they were, and keys that it wrote. */
export const restoredRows = reprieve.table(
	'restored_rows',
	{
		restoreId: text('restore_id').notNull(),
		n: bigint({ mode: 'number' }).notNull(),
		table: text().notNull(),
		key: jsonb().$type<Row>().notNull(),
		changeId: text('change_id').notNull(),
		/** restored, identical, skipped, overwritten, relinked, superseded, failed. */
		state: text().notNull(),
		message: text(),
		/** Version (xmin) that the restore wrote. */
		version: text(),
	},
	(table) => [primaryKey({ columns: [table.restoreId, table.n] }), index('restored_rows_change').on(table.changeId)],
)

/**
 * A table's share of a batch of a restore's list, column by column: what is to be done, and in the report the rows of a batch
 * that came back at once. Those that no batch did go when the restore is over. Its arrays are not compressed (storage.sql):
 * that cost more than all else of the list.
 */
export const restoredShares = reprieve.table(
	'restored_shares',
	{
		restoreId: text('restore_id').notNull(),
		batch: integer().notNull(),
		/** Index into the cursor's tables, and the archived table's name. */
		t: integer().notNull(),
		table: text().notNull(),
		/** Numbers in the list, timelines, commit positions and ordinals of the changes. */
		seqs: bigint({ mode: 'number' }).array().notNull(),
		timelines: integer().array().notNull(),
		positions: bigint({ mode: 'bigint' }).array().notNull(),
		ordinals: bigint({ mode: 'number' }).array().notNull(),
		relinks: boolean().array().notNull(),
		/** Live versions that are to be overwritten. */
		seens: text().array().notNull(),
		/** Names of the key's columns, and each row's values in them: the text of a text[]. */
		keyColumns: text('key_columns').array().notNull(),
		keys: text().array().notNull(),
		/** Smallest and largest of the positions, and of the ordinals. */
		firstPosition: bigint('first_position', { mode: 'bigint' }).notNull(),
		finalPosition: bigint('final_position', { mode: 'bigint' }).notNull(),
		firstOrdinal: bigint('first_ordinal', { mode: 'number' }).notNull(),
		finalOrdinal: bigint('final_ordinal', { mode: 'number' }).notNull(),
		/** No live row had one of the keys when the list was made. */
		isMissing: boolean('is_missing').notNull(),
		/** Version (xmin) that the restore wrote, of all its rows at once. */
		version: text(),
	},
	(table) => [primaryKey({ columns: [table.restoreId, table.batch, table.t] })],
)
