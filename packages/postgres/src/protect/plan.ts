import { type Finding, formatTableName, quoteTable, ReprieveError } from '@reprieve/contracts'
import { type ClosureTable, closureReasons, readClosure } from '../catalog/closure.ts'
import type { Session } from '../session.ts'
import { shapeFindings } from './findings.ts'
import { neededPublications } from './gate.ts'
import { publications } from './publications.ts'
import { databaseFindings, readServerFacts } from './server-facts.ts'
import { readTableFacts, type TableFacts } from './table-facts.ts'

export type TruncateMode = 'refuse' | 'archive'

export type PlanOptions = {
	/** What a TRUNCATE does. Default: as it is, `refuse` for tables not protected yet. */
	truncate?: TruncateMode
	/** Codes accepted by name. */
	acknowledge?: readonly string[]
}

/** What protecting does to one table of the closures. */
export type TableChange = {
	table: TableFacts
	/** OIDs of the asked tables that reach it, in the order in which they were asked for. */
	asked: number[]
	why: ClosureTable['why']
	truncate: TruncateMode
	/** In the order in which they run. */
	statements: string[]
	/** The stream changes, so what was proved before counts no more. */
	needsProof: boolean
	/** Deletes may have gone by unseen: the identity or a membership of a protected table had been taken away. */
	wasWeakened: boolean
	/** Some table that reaches it had been asked for before. */
	isRepeated: boolean
}

/** One table that is to be protected, and why it is refused; not empty: nothing is changed for it. */
type AskedTable = { table: TableFacts; refusals: Finding[] }

/** Protecting as data: what is refused, and what changes for the others. */
export type ProtectionPlan = { asked: AskedTable[]; changes: TableChange[] }

/** A table of several closures at once. */
type Member = Omit<ClosureTable, 'asked'> & { asked: number[]; isRepeated: boolean }

/** Computes what protecting tables would do; changes nothing. Throws NOT_FOUND for an OID without table. */
export async function planProtection(sql: Session, oids: number[], options: PlanOptions = {}): Promise<ProtectionPlan> {
	const closure = await readClosure(sql, oids)
	const facts = await readTableFacts(sql, [...new Set(closure.map((member) => member.oid))])
	const server = await readServerFacts(sql)
	const acknowledged = new Set([...server.acknowledged, ...(options.acknowledge ?? [])])
	const { isDebezium } = server.capture
	const check = { acknowledged, isDebezium, isProtecting: true }
	const shared = databaseFindings(server, acknowledged)
	const closures = Map.groupBy(closure, (member) => member.asked)
	const asked = oids.map((oid): AskedTable => {
		const table = facts.get(oid)
		if (!table) throw new ReprieveError('NOT_FOUND', `there is no table with OID ${oid}`)
		const members = (closures.get(oid) ?? []).flatMap((member) => facts.get(member.oid) ?? [])
		const refusals = [...shared, ...askedFindings(table), ...members.flatMap((one) => shapeFindings(one, check))]
		return { table, refusals }
	})
	const accepted = asked.filter(({ refusals }) => refusals.length === 0).map(({ table }) => table)
	const members = mergeClosures(accepted, closures)
	return {
		asked,
		changes: members.flatMap((member) => {
			const table = facts.get(member.oid)
			return table ? [changeTable(member, table, { ...options, isDebezium })] : []
		}),
	}
}

/** Each table once, by the strongest way in which any of the asked ones reaches it. */
function mergeClosures(asked: TableFacts[], closures: ReadonlyMap<number, ClosureTable[]>): Member[] {
	const members = new Map<number, Member>()
	for (const table of asked) {
		for (const member of closures.get(table.oid) ?? []) {
			const known = members.get(member.oid)
			const ways = [member.why, ...(known ? [known.why] : [])]
			members.set(member.oid, {
				...member,
				asked: [...(known?.asked ?? []), table.oid],
				why: closureReasons.find((reason) => ways.includes(reason)) ?? member.why,
				isRelinked: member.isRelinked || (known?.isRelinked ?? false),
				isRepeated: table.record?.why === 'asked' || (known?.isRepeated ?? false),
			})
		}
	}
	return [...members.values()]
}

/** A partition is protected with its tree, never alone: its siblings' inserts tell a move from a deletion. */
function askedFindings(asked: TableFacts): Finding[] {
	if (!asked.isPartition) return []
	const name = formatTableName(asked)
	return [{ code: 'partition', message: `${name} is a partition`, remedy: 'Protect its partition root.' }]
}

/** Identity goes before membership: in the other order the application's own DELETE would fail in between. */
function changeTable(member: Member, table: TableFacts, options: PlanOptions & { isDebezium: boolean }): TableChange {
	const { asked, why, isRepeated } = member
	const truncate = options.truncate ?? table.record?.truncate ?? 'refuse'
	const base = { table, asked, why, truncate, isRepeated }
	if (table.kind !== 'r') return { ...base, statements: [], needsProof: false, wasWeakened: false }
	const identity = table.identity === 'f' ? [] : [`alter table ${quoteTable(table)} replica identity full`]
	const missing = missingPublications(member, table, options.isDebezium)
	const published = missing.map((name) => `alter publication ${name} add table only ${quoteTable(table)}`)
	// A relink that only a newly asked table brings was never promised before.
	const lost = missing.filter((name) => name !== publications.relinks.name || isRepeated)
	return {
		...base,
		statements: [...identity, ...published, ...guardStatements(table, truncate)],
		needsProof: identity.length + missing.length > 0,
		wasWeakened: table.record?.status === 'ready' && identity.length + lost.length > 0,
	}
}

function missingPublications(
	member: Pick<ClosureTable, 'isRelinked'>,
	table: TableFacts,
	isDebezium: boolean,
): string[] {
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

/**
 * What a plan changes for one asked table, as an operator reads it: the statements in order, and as comments what will be
 * refused from then on. A table that several asked ones reach is listed for the first.
 */
export function listChanges(plan: ProtectionPlan, asked: number): string[] {
	return plan.changes.flatMap((change) => {
		if (change.asked[0] !== asked || change.statements.length === 0) return []
		const name = quoteTable(change.table)
		const truncated =
			change.truncate === 'refuse'
				? `-- from then on TRUNCATE of ${name} is refused`
				: `-- from then on TRUNCATE of ${name} deletes its rows one by one`
		return [...change.statements, truncated, `-- from then on DROP TABLE ${name} needs: set reprieve.allow = 'on'`]
	})
}
