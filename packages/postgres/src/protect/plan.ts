import { type Finding, formatTableName, quoteTable, ReprieveError } from '@reprieve/contracts'
import { type ClosureTable, readClosure } from '../catalog/closure.ts'
import type { Session } from '../session.ts'
import { shapeFindings } from './findings.ts'
import { neededPublications } from './gate.ts'
import { publications } from './publications.ts'
import { databaseFindings, readServerFacts, type ServerFacts } from './server-facts.ts'
import { readTableFacts, type TableFacts } from './table-facts.ts'

export type TruncateMode = 'refuse' | 'archive'

export type PlanOptions = {
	/** What a TRUNCATE does. Default: as it is, `refuse` for tables not protected yet. */
	truncate?: TruncateMode
	/** Codes accepted by name. */
	acknowledge?: readonly string[]
}

/** What protecting does to one table of the closure. */
export type TableChange = {
	table: TableFacts
	why: ClosureTable['why']
	truncate: TruncateMode
	/** In the order in which they run. */
	statements: string[]
	/** The stream changes, so what was proved before counts no more. */
	needsProof: boolean
	/** Deletes may have gone by unseen: the identity or a membership of a protected table had been taken away. */
	wasWeakened: boolean
}

/** Protecting as data: why it is refused, or what it changes. */
export type ProtectionPlan = {
	asked: TableFacts
	closure: ClosureTable[]
	/** Not empty: nothing is changed. */
	refusals: Finding[]
	changes: TableChange[]
	server: ServerFacts
}

/** Computes what protecting a table would do; changes nothing. Throws NOT_FOUND for an OID without table. */
export async function planProtection(sql: Session, oid: number, options: PlanOptions = {}): Promise<ProtectionPlan> {
	const closure = await readClosure(sql, [oid])
	const facts = await readTableFacts(
		sql,
		closure.map((member) => member.oid),
	)
	const asked = facts.get(oid)
	if (!asked) throw new ReprieveError('NOT_FOUND', `there is no table with OID ${oid}`)
	const server = await readServerFacts(sql)
	const acknowledged = new Set([...server.acknowledged, ...(options.acknowledge ?? [])])
	const { isDebezium } = server.capture
	const check = { acknowledged, isDebezium, isProtecting: true }
	const refusals = [
		...databaseFindings(server, acknowledged),
		...askedFindings(asked),
		...[...facts.values()].flatMap((table) => shapeFindings(table, check)),
	]
	const changes = closure.flatMap((member) => {
		const table = facts.get(member.oid)
		return table
			? [changeTable(member, table, { ...options, isRepeated: asked.record?.why === 'asked', isDebezium })]
			: []
	})
	return { asked, closure, refusals, changes, server }
}

/** A partition is protected with its tree, never alone: its siblings' inserts tell a move from a deletion. */
function askedFindings(asked: TableFacts): Finding[] {
	if (!asked.isPartition) return []
	const name = formatTableName(asked)
	return [{ code: 'partition', message: `${name} is a partition`, remedy: 'Protect its partition root.' }]
}

/** Identity goes before membership: in the other order the application's own DELETE would fail in between. */
function changeTable(
	member: ClosureTable,
	table: TableFacts,
	options: PlanOptions & { isRepeated: boolean; isDebezium: boolean },
): TableChange {
	const { why } = member
	const truncate = options.truncate ?? table.record?.truncate ?? 'refuse'
	if (table.kind !== 'r') return { table, why, truncate, statements: [], needsProof: false, wasWeakened: false }
	const identity = table.identity === 'f' ? [] : [`alter table ${quoteTable(table)} replica identity full`]
	const missing = missingPublications(member, table, options.isDebezium)
	const published = missing.map((name) => `alter publication ${name} add table only ${quoteTable(table)}`)
	// A relink that only a newly asked table brings was never promised before.
	const lost = missing.filter((name) => name !== publications.relinks.name || options.isRepeated)
	return {
		table,
		why,
		truncate,
		statements: [...identity, ...published, ...guardStatements(table, truncate)],
		needsProof: identity.length + missing.length > 0,
		wasWeakened: table.record?.status === 'ready' && identity.length + lost.length > 0,
	}
}

function missingPublications(member: ClosureTable, table: TableFacts, isDebezium: boolean): string[] {
	const own = new Set(table.memberships.filter((m) => m.by === 'table').map((m) => m.publication))
	const needed = neededPublications({ isPartition: table.isPartition, isRelinked: member.isRelinked, isDebezium })
	return needed.filter((name) => !own.has(name))
}

function guardStatements(table: TableFacts, truncate: TruncateMode): string[] {
	if (table.guard?.mode === truncate && table.guard.enabled === 'A') return []
	const name = quoteTable(table)
	return [
		...(table.guard ? [`drop trigger reprieve_guard_truncate on ${name}`] : []),
		`create trigger reprieve_guard_truncate before truncate on ${name} for each statement execute function reprieve.${truncate}_truncate()`,
		`alter table ${name} enable always trigger reprieve_guard_truncate`,
	]
}

/** The plan as an operator reads it: the statements in order, and as comments what will be refused from then on. */
export function listChanges(plan: ProtectionPlan): string[] {
	return plan.changes.flatMap((change) => {
		if (change.statements.length === 0) return []
		const name = quoteTable(change.table)
		const truncated =
			change.truncate === 'refuse'
				? `-- from then on TRUNCATE of ${name} is refused`
				: `-- from then on TRUNCATE of ${name} deletes its rows one by one`
		return [...change.statements, truncated, `-- from then on DROP TABLE ${name} needs: set reprieve.allow = 'on'`]
	})
}
