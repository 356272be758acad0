import { type Finding, formatTableName, type Restorability } from '@reprieve/contracts'
import { type ClosureTable, readClosure } from '../catalog/closure.ts'
import type { Session } from '../session.ts'
import { type CaptureLimits, incidentFinding } from './capture-facts.ts'
import { shapeFindings } from './findings.ts'
import { leafWeakness } from './gate.ts'
import { databaseFindings, readServerFacts, type ServerFacts, streamFindings } from './server-facts.ts'
import { readTableFacts, type TableFacts } from './table-facts.ts'

/** Codes that say only that a proof is awaited. */
const awaiting = new Set(['pending'])

/**
 * Whether deletes on each table would be restorable, with all that they reach: the table's whole closure is looked at.
 * An OID without table is absent. `ready` has no findings.
 */
export async function readRestorability(
	sql: Session,
	oids: number[],
	limits?: Partial<CaptureLimits>,
): Promise<Map<number, Restorability>> {
	const closure = await readClosure(sql, oids)
	const facts = await readTableFacts(sql, [...new Set(closure.map((member) => member.oid))])
	const server = await readServerFacts(sql)
	const acknowledged = new Set(server.acknowledged)
	const shared = [...databaseFindings(server, acknowledged), ...streamFindings(server, limits)]
	const members = Map.groupBy(closure, (member) => member.asked)
	const answers = new Map<number, Restorability>()
	for (const oid of oids) {
		if (!facts.has(oid)) continue
		const own = (members.get(oid) ?? []).flatMap((member) =>
			memberFindings(member, facts, { acknowledged, isDebezium: server.capture.isDebezium }),
		)
		const incidents = incidentsOf(server, members.get(oid) ?? [], facts)
		answers.set(oid, restorability([...own, ...incidents, ...shared]))
	}
	return answers
}

/** The status that findings make. */
export function restorability(findings: Finding[]): Restorability {
	if (findings.length === 0) return { status: 'ready', findings }
	return { status: findings.every((finding) => awaiting.has(finding.code)) ? 'pending' : 'closed', findings }
}

function memberFindings(
	member: ClosureTable,
	facts: ReadonlyMap<number, TableFacts>,
	{ acknowledged, isDebezium }: { acknowledged: ReadonlySet<string>; isDebezium: boolean },
): Finding[] {
	const table = facts.get(member.oid)
	if (!table) return []
	const shape = shapeFindings(table, { acknowledged, isDebezium, isProtecting: false })
	if (table.kind !== 'r' && table.kind !== 'p') return shape
	return [...shape, ...protectionFindings(member, table, isDebezium)]
}

function protectionFindings(member: ClosureTable, table: TableFacts, isDebezium: boolean): Finding[] {
	const name = formatTableName(table)
	const close = (code: string, message: string) => [{ code, table: name, message, remedy: `Protect ${name} again.` }]
	const { record } = table
	if (!record) return [{ ...notProtected, table: name, message: `${name} is not protected` }]
	if (table.kind === 'r') {
		const weakness = leafWeakness({ ...table, ...membership(table), isRelinked: member.isRelinked, isDebezium }, name)
		if (weakness) return close(...weakness)
		if (table.guard?.enabled !== 'A' || table.guard.mode !== record.truncate) {
			return close('guardMissing', `${name}: the trigger that guards TRUNCATE is absent or disabled`)
		}
	}
	if (record.status === 'pending') return close('pending', `${name}: its protection is not proved yet`)
	return []
}

const notProtected = { code: 'notProtected', remedy: 'Protect it.' }

function membership(table: TableFacts): { memberOf: string[]; partlyIn: string[] } {
	const own = table.memberships.filter((member) => member.by === 'table')
	const isPart = (member: { hasRowFilter: boolean; hasColumnList: boolean }) =>
		member.hasRowFilter || member.hasColumnList
	return {
		memberOf: own.filter((member) => !isPart(member)).map((member) => member.publication),
		partlyIn: own.filter(isPart).map((member) => member.publication),
	}
}

/** Incidents of single tables; those of all tables are among the stream's findings. */
function incidentsOf(server: ServerFacts, members: ClosureTable[], facts: ReadonlyMap<number, TableFacts>): Finding[] {
	const names = new Set(members.flatMap((member) => facts.get(member.oid) ?? []).map(formatTableName))
	return server.capture.incidents
		.filter((incident) => !incident.stopsCapture && incident.table !== null && names.has(incident.table))
		.map(incidentFinding)
}
