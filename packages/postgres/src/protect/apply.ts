import { type Finding, formatTableName, type TableName } from '@reprieve/contracts'
import { readClosure } from '../catalog/closure.ts'
import type { Sql, Transaction } from '../session.ts'
import { arrayLiteral } from '../values/array.ts'
import { closeGaps, recordGap } from './gaps.ts'
import { installGuards } from './guards.ts'
import { lockFinding, lockTables } from './lock.ts'
import { listChanges, type PlanOptions, type ProtectionPlan, planProtection, type TableChange } from './plan.ts'
import { ensurePublicationsWithin, protectionLock } from './publications.ts'
import { readTableFacts } from './table-facts.ts'

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

/**
 * Protects one table with its closure in one transaction, or changes nothing. What is new stays `pending` until
 * `finishProtecting`. Idempotent: what already stands is left alone. Two at once queue.
 */
export async function protectTable(sql: Sql, oid: number, options: ProtectOptions = {}): Promise<Protected> {
	const lockTimeoutMs = options.lockTimeoutMs ?? 5_000
	const applied = await sql.begin(async (tx): Promise<Protected> => {
		await beginProtection(tx)
		const before = await planProtection(tx, oid, options)
		if (before.refusals.length > 0) return { refusals: before.refusals, changes: [], limits: [] }
		const touched = before.changes.filter((change) => change.statements.length > 0).map((change) => change.table)
		if (!(await lockTables(tx, touched, lockTimeoutMs))) {
			const name = formatTableName(before.asked)
			return { refusals: [lockFinding(name, lockTimeoutMs)], changes: [], limits: [] }
		}
		await ensurePublicationsWithin(tx)
		const limits = await installGuards(tx)
		// What was read before the locks may have changed: only what is read under them is carried out.
		const plan = await planProtection(tx, oid, options)
		if (plan.refusals.length > 0) return { refusals: plan.refusals, changes: [], limits }
		for (const change of plan.changes) await applyChange(tx, change)
		await recordProtection(tx, plan, options)
		return { refusals: [], changes: listChanges(plan), limits }
	})
	return applied as Protected
}

/** One change of protection at a time; our own event triggers let this transaction pass. */
export async function beginProtection(tx: Transaction): Promise<void> {
	await tx`select pg_advisory_xact_lock(${protectionLock})`
	await tx`select set_config('reprieve.allow', 'on', true)`
}

async function applyChange(tx: Transaction, change: TableChange): Promise<void> {
	for (const statement of change.statements) await tx.unsafe(statement)
}

/** The control rows of the closure, and the gaps that the changes bring to light. */
async function recordProtection(tx: Transaction, plan: ProtectionPlan, options: ProtectOptions): Promise<void> {
	const isRepeated = plan.asked.record?.why === 'asked'
	const roots = await readTableFacts(
		tx,
		plan.changes.map((change) => change.table.rootOid),
	)
	for (const change of plan.changes) {
		const name = formatTableName(roots.get(change.table.rootOid) ?? change.table)
		const isNew = change.table.record === null
		if (change.wasWeakened) {
			const reason = `${formatTableName(change.table)} had lost its identity or its publication`
			await recordGap(tx, { table: name, reason, since: change.table.record?.protectedSince })
		} else if (isNew && isRepeated && change.table.kind === 'r') {
			await recordGap(tx, { table: name, reason: `${formatTableName(change.table)} came later and was not published` })
		}
		await closeGaps(tx, name)
		await upsertRecord(tx, change, options)
	}
	await pendRoots(tx, plan)
}

async function upsertRecord(tx: Transaction, change: TableChange, options: ProtectOptions): Promise<void> {
	const { table } = change
	const acknowledged = JSON.stringify(change.why === 'asked' ? (options.acknowledge ?? []) : [])
	const why = table.record?.why === 'asked' ? 'asked' : change.why
	await tx`delete from reprieve.protected_tables p where p.schema = ${table.schema} and p.name = ${table.name}
		and p.oid <> ${table.oid} and not exists (select from pg_class c where c.oid = p.oid)`
	await tx`
		insert into reprieve.protected_tables as p (oid, schema, name, root_oid, kind, why, former_identity, former_index,
			truncate, status, changed_xid, changed_at, acknowledged, created_at)
		values (${table.oid}, ${table.schema}, ${table.name}, ${table.rootOid}, ${table.kind}, ${why}, ${table.identity},
			${table.identityIndex}, ${change.truncate}, 'pending', pg_current_xact_id()::text,
			clock_timestamp(), ${acknowledged}::text::jsonb, clock_timestamp())
		on conflict (oid) do update set schema = excluded.schema, name = excluded.name, root_oid = excluded.root_oid,
			why = excluded.why, truncate = excluded.truncate,
			acknowledged = (select coalesce(jsonb_agg(distinct code), '[]')
				from jsonb_array_elements(p.acknowledged || excluded.acknowledged) code),
			status = case when ${change.needsProof} then 'pending' else p.status end,
			changed_xid = case when ${change.needsProof} then excluded.changed_xid else p.changed_xid end,
			changed_at = case when ${change.needsProof} then excluded.changed_at else p.changed_at end`
}

/** A partition root counts as protected only when all its leaves do; so does the asked table with its closure. */
async function pendRoots(tx: Transaction, plan: ProtectionPlan): Promise<void> {
	const changed = plan.changes.filter((change) => change.needsProof || change.table.record === null)
	if (changed.length === 0) return
	const oids = [plan.asked.oid, ...changed.map((change) => change.table.rootOid)]
	await tx`
		update reprieve.protected_tables set status = 'pending', changed_xid = pg_current_xact_id()::text,
			changed_at = clock_timestamp()
		where oid = any(${arrayLiteral(oids)}::oid[])`
}

/**
 * Protects what came into the closure of protected tables since (new partitions, new foreign keys), forgets what was
 * dropped, and records the gaps. Answers the findings of what could not be protected. For upkeep, at short intervals;
 * cheap when nothing is new.
 */
export async function protectNewLeaves(sql: Sql, options: { lockTimeoutMs?: number } = {}): Promise<Finding[]> {
	await forgetDropped(sql)
	const records = await sql<{ oid: number; why: string }[]>`
		select p.oid::float8 as oid, p.why from reprieve.protected_tables p join pg_class c on c.oid = p.oid`
	const known = new Set(records.map((record) => record.oid))
	const asked = records.filter((record) => record.why === 'asked').map((record) => record.oid)
	const closure = await readClosure(sql, asked)
	const grown = new Set(closure.filter((member) => !known.has(member.oid)).map((member) => member.asked))
	const findings: Finding[] = []
	for (const oid of grown) findings.push(...(await protectTable(sql, oid, options)).refusals)
	return findings
}

/** Rows of a dropped table are in no stream: that is a gap, known for ever. */
async function forgetDropped(sql: Sql): Promise<void> {
	await sql.begin(async (tx) => {
		const dropped = await tx<{ schema: string; name: string; root: string | null; since: string | null }[]>`
			with gone as (
				delete from reprieve.protected_tables p where not exists (select from pg_class c where c.oid = p.oid) returning *)
			select g.schema, g.name, g.protected_since::text as since, (
				select json_build_object('schema', r.schema, 'name', r.name) from reprieve.protected_tables r
				where r.oid = g.root_oid)::text as root
			from gone g where g.kind = 'r'`
		for (const { root, since, ...table } of dropped) {
			const owner = root === null ? table : (JSON.parse(root) as TableName)
			const reason = `${formatTableName(table)} was dropped with the rows that it held`
			await recordGap(tx, { table: formatTableName(owner), reason, since })
		}
	})
}
