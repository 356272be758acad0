import { type Finding, formatTableName } from '@reprieve/contracts'
import type { Sql, Transaction } from '../session.ts'
import { arrayLiteral } from '../values/array.ts'
import { closeGaps, recordGap } from './gaps.ts'
import { installGuards } from './guards.ts'
import { lockFinding, lockTables } from './lock.ts'
import { listChanges, type PlanOptions, type ProtectionPlan, planProtection, type TableChange } from './plan.ts'
import { ensurePublicationsWithin, protectionLock } from './publications.ts'
import { readTableFacts, type TableFacts } from './table-facts.ts'

export type ProtectOptions = PlanOptions & {
	/** Milliseconds to wait for the tables' locks. Default 5,000. */
	lockTimeoutMs?: number
}

export type Protected = {
	/** Not empty: nothing was changed. */
	refusals: Finding[]
	/** What ran, as statements and comments. */
	changes: string[]
	/** What the role was not permitted to install. */
	limits: string[]
}

/** {@link protectTables} of one table. */
export async function protectTable(sql: Sql, oid: number, options: ProtectOptions = {}): Promise<Protected> {
	const [done] = await protectTables(sql, [oid], options)
	return done as Protected
}

/**
 * Protects tables with their closures in one transaction; of a refused table, and of all of them when they cannot be
 * locked together, nothing is changed. Answers one outcome for each, in order. What is new stays `pending` until
 * `finishProtecting`. Idempotent: what already stands is left alone. Two at once queue.
 */
export async function protectTables(sql: Sql, oids: number[], options: ProtectOptions = {}): Promise<Protected[]> {
	const lockTimeoutMs = options.lockTimeoutMs ?? 5_000
	const applied = await sql.begin(async (tx): Promise<Protected[]> => {
		await beginProtection(tx)
		const before = await planProtection(tx, oids, options)
		if (before.changes.length === 0) return outcomes(before)
		const touched = before.changes.filter((change) => change.statements.length > 0).map((change) => change.table)
		if (!(await lockTables(tx, touched, lockTimeoutMs))) return notLocked(before, lockTimeoutMs)
		await ensurePublicationsWithin(tx)
		const limits = await installGuards(tx)
		// What was read before the locks may have changed: only what is read under them is carried out.
		const plan = await planProtection(tx, oids, options)
		const statements = plan.changes.flatMap((change) => change.statements)
		if (statements.length > 0) await tx.unsafe(statements.join(';'))
		await recordProtection(tx, plan, options)
		return outcomes(plan, limits)
	})
	return applied as Protected[]
}

function outcomes(plan: ProtectionPlan, limits: string[] = []): Protected[] {
	return plan.asked.map(({ table, refusals }) => ({ refusals, changes: listChanges(plan, table.oid), limits }))
}

function notLocked(plan: ProtectionPlan, lockTimeoutMs: number): Protected[] {
	return plan.asked.map(({ table, refusals }) => {
		const locked = lockFinding(formatTableName(table), lockTimeoutMs)
		return { refusals: refusals.length > 0 ? refusals : [locked], changes: [], limits: [] }
	})
}

/** One change of protection at a time; our own event triggers let this transaction pass. */
export async function beginProtection(tx: Transaction): Promise<void> {
	await tx`select pg_advisory_xact_lock(${protectionLock})`
	await tx`select set_config('reprieve.allow', 'on', true)`
}

/** The control rows of the closures, and the gaps that the changes bring to light. */
async function recordProtection(tx: Transaction, plan: ProtectionPlan, options: ProtectOptions): Promise<void> {
	const roots = await readTableFacts(tx, [...new Set(plan.changes.map((change) => change.table.rootOid))])
	const rootName = (table: TableFacts) => formatTableName(roots.get(table.rootOid) ?? table)
	for (const { table, wasWeakened, isRepeated } of plan.changes) {
		const name = formatTableName(table)
		if (wasWeakened) {
			const reason = `${name} had lost its identity or its publication`
			await recordGap(tx, { table: rootName(table), reason, since: table.record?.protectedSince })
		} else if (table.record === null && isRepeated && table.kind === 'r') {
			await recordGap(tx, { table: rootName(table), reason: `${name} came later and was not published` })
		}
	}
	await closeGaps(
		tx,
		plan.changes.map((change) => rootName(change.table)),
	)
	await upsertRecords(tx, plan.changes, options)
	await pendRoots(tx, plan)
}

async function upsertRecords(tx: Transaction, changes: TableChange[], options: ProtectOptions): Promise<void> {
	const rows = changes.map(({ table, why, truncate, needsProof }) => ({
		oid: table.oid,
		schema: table.schema,
		name: table.name,
		root_oid: table.rootOid,
		kind: table.kind,
		why: table.record?.why === 'asked' ? 'asked' : why,
		former_identity: table.identity,
		former_index: table.identityIndex,
		truncate,
		acknowledged: why === 'asked' ? (options.acknowledge ?? []) : [],
		needs_proof: needsProof,
	}))
	await tx`
		with changed as (select * from json_to_recordset(${JSON.stringify(rows)}::text::json)
			c(oid int8, schema text, name text, root_oid int8, kind text, why text, former_identity text, former_index text,
				truncate text, acknowledged jsonb, needs_proof bool)),
		replaced as (
			delete from reprieve.protected_tables p using changed c
			where p.schema = c.schema and p.name = c.name and p.oid <> c.oid
				and not exists (select from pg_class r where r.oid = p.oid))
		insert into reprieve.protected_tables as p (oid, schema, name, root_oid, kind, why, former_identity, former_index,
			truncate, status, changed_xid, changed_at, acknowledged, created_at)
		select c.oid, c.schema, c.name, c.root_oid, c.kind, c.why, c.former_identity, c.former_index, c.truncate, 'pending',
			case when c.needs_proof or known.oid is null then pg_current_xact_id()::text else known.changed_xid end,
			case when c.needs_proof or known.oid is null then clock_timestamp() else known.changed_at end,
			c.acknowledged, clock_timestamp()
		from changed c left join reprieve.protected_tables known on known.oid = c.oid
		on conflict (oid) do update set schema = excluded.schema, name = excluded.name, root_oid = excluded.root_oid,
			why = excluded.why, truncate = excluded.truncate,
			acknowledged = (select coalesce(jsonb_agg(distinct code), '[]')
				from jsonb_array_elements(p.acknowledged || excluded.acknowledged) code),
			status = case when excluded.changed_xid <> p.changed_xid then 'pending' else p.status end,
			changed_xid = excluded.changed_xid, changed_at = excluded.changed_at`
}

/** A partition root counts as protected only when all its leaves do; so does an asked table with its closure. */
async function pendRoots(tx: Transaction, plan: ProtectionPlan): Promise<void> {
	const changed = plan.changes.filter((change) => change.needsProof || change.table.record === null)
	if (changed.length === 0) return
	const oids = [...new Set(changed.flatMap((change) => [change.table.rootOid, ...change.asked]))]
	await tx`
		update reprieve.protected_tables set status = 'pending', changed_xid = pg_current_xact_id()::text,
			changed_at = clock_timestamp()
		where oid = any(${arrayLiteral(oids)}::oid[])`
}
