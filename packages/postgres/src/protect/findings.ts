import { type Finding, formatTableName, quoteTable, typeVerdict } from '@reprieve/contracts'
import { ourPublications } from './publications.ts'
import type { Membership, TableFacts } from './table-facts.ts'

/** Bytes of the longest row, as text, that is archived for certain: the server decodes no value of 1 GiB, a string here holds half of it. */
export const longestRowBytes = 256 * 1024 * 1024

export type TableCheck = {
	/** Codes accepted by name. */
	acknowledged: ReadonlySet<string>
	/** Whether changes come through Debezium, whose JSON loses values of some types. */
	isDebezium: boolean
	/** Whether the session is the one that will change the table. */
	isProtecting: boolean
}

/** What keeps one table of a closure from being protected, whatever reprieve did to it; acknowledged ones are left out. */
export function shapeFindings(table: TableFacts, check: TableCheck): Finding[] {
	const name = formatTableName(table)
	const kind = kindFindings(table, name)
	if (kind.length > 0) return kind
	return [
		...keyFindings(table, name),
		...columnFindings(table, name, check.acknowledged),
		...constraintFindings(table, name, check.acknowledged),
		...(check.isDebezium ? wireFindings(table, name) : []),
		...table.memberships.flatMap((membership) => membershipFindings(table, name, membership)),
		...deleteFindings(table, name, check.acknowledged),
		...roleFindings(table, name, check.isProtecting),
	]
}

const kindNames: Record<string, string> = {
	v: 'a view',
	m: 'a materialized view',
	f: 'a foreign table',
	S: 'a sequence',
	i: 'an index',
	I: 'an index',
	c: 'a composite type',
	t: 'a TOAST table',
}

function kindFindings(table: TableFacts, name: string): Finding[] {
	const finding = (code: string, message: string, remedy: string) => [{ code, table: name, message, remedy }]
	if (table.kind !== 'r' && table.kind !== 'p') {
		const kind = kindNames[table.kind] ?? `of kind ${table.kind}`
		return finding(
			'notATable',
			`${name} is ${kind}: its deletes are not in the log`,
			'Protect the tables that hold the rows.',
		)
	}
	if (table.persistence === 't') {
		return finding('temporary', `${name} is a temporary table: it is not in the log`, 'Use an ordinary table.')
	}
	if (/^(pg_|information_schema$|reprieve$)/.test(table.schema)) {
		return finding('systemTable', `${name} belongs to schema ${table.schema}`, 'Protect tables of your own.')
	}
	if (table.persistence === 'u') {
		return finding(
			'unlogged',
			`${name} is unlogged: it is not in the log`,
			`Run ALTER TABLE ${quoteTable(table)} SET LOGGED.`,
		)
	}
	return []
}

function keyFindings(table: TableFacts, name: string): Finding[] {
	if (table.hasKey) return []
	return [
		{
			code: 'noKey',
			table: name,
			message: `${name} has neither a primary key nor a unique index over NOT NULL columns`,
			remedy: `Add a primary key to ${name}.`,
		},
	]
}

function columnFindings(table: TableFacts, name: string, acknowledged: ReadonlySet<string>): Finding[] {
	const findings: Finding[] = []
	if (table.virtualColumns.length > 0) {
		findings.push({
			code: 'virtualGenerated',
			table: name,
			message: `${name} has virtual generated columns (${table.virtualColumns.join(', ')}): under a full replica identity PostgreSQL would refuse every DELETE and UPDATE`,
			remedy: 'Make them STORED, or compute them in a view.',
		})
	}
	for (const { column, type } of table.inexactColumns) {
		const finding = {
			code: 'inexactType',
			table: name,
			message: `${name}.${column}: type ${type} has no exact text form`,
			remedy: "Change the column's type",
		}
		findings.push(...unlessAcknowledged(finding, `inexactType:${fullName(table)}.${column}`, acknowledged))
	}
	if (table.averageRowBytes > longestRowBytes) {
		const finding = {
			code: 'rowSize',
			table: name,
			message: `rows of ${name} have ${table.averageRowBytes} bytes on average, ${longestRowBytes} are safe to decode`,
			remedy: 'Move large values out of the table',
		}
		findings.push(...unlessAcknowledged(finding, `rowSize:${fullName(table)}`, acknowledged))
	}
	return findings
}

/** PostgreSQL takes no new row that breaks a NOT VALID constraint, also not one that was there before it. */
function constraintFindings(table: TableFacts, name: string, acknowledged: ReadonlySet<string>): Finding[] {
	return table.notValid.flatMap(({ constraint, remedy }) => {
		const finding = {
			code: 'notValid',
			table: name,
			message: `${name} has the constraint ${constraint}, which is NOT VALID: a deleted row that breaks it could not be brought back`,
			remedy: `Run ${remedy}`,
		}
		return unlessAcknowledged(finding, `notValid:${fullName(table)}.${constraint}`, acknowledged)
	})
}

/** Debezium's JSON must give every value of every column back: nothing that it loses can be acknowledged. */
function wireFindings(table: TableFacts, name: string): Finding[] {
	return table.wireColumns.flatMap(({ column, type, wire }) => {
		const { reason } = typeVerdict(wire)
		if (reason === undefined) return []
		return [
			{
				code: 'debeziumType',
				table: name,
				message: `${name}.${column}: values of type ${type} do not arrive whole through Debezium: ${reason}`,
				remedy: "Archive this database by reprieve's own capture, or change the column's type.",
			},
		]
	})
}

/** Under FULL a column list, or hidden generated columns, in anybody's publication break the application's own DELETE. */
function membershipFindings(table: TableFacts, name: string, member: Membership): Finding[] {
	const finding = (code: string, message: string, remedy: string) => ({ code, table: name, message, remedy })
	const findings: Finding[] = []
	const publishesOld = member.update || member.delete
	if (member.hasColumnList && (publishesOld || ourPublications.has(member.publication))) {
		findings.push(
			finding(
				'columnList',
				`publication ${member.publication} has a column list for ${name}: with a full replica identity PostgreSQL would refuse its DELETEs or UPDATEs`,
				`Take the column list of ${name} out of publication ${member.publication}.`,
			),
		)
	}
	if (member.hidesGenerated && !member.hasColumnList && publishesOld && table.storedColumns.length > 0) {
		findings.push(
			finding(
				'otherPublicationHidesGenerated',
				`publication ${member.publication} does not publish the generated columns of ${name} (${table.storedColumns.join(', ')}): with a full replica identity PostgreSQL would refuse its DELETEs or UPDATEs`,
				`Run ALTER PUBLICATION ${member.publication} SET (publish_generated_columns = stored).`,
			),
		)
	}
	if (ourPublications.has(member.publication) && member.hasRowFilter) {
		findings.push(
			finding(
				'rowFilter',
				`publication ${member.publication} has a row filter for ${name}: deletes of other rows would not be seen`,
				`Run ALTER PUBLICATION ${member.publication} DROP TABLE ${quoteTable(table)}, then protect it again.`,
			),
		)
	}
	return findings
}

function deleteFindings(table: TableFacts, name: string, acknowledged: ReadonlySet<string>): Finding[] {
	const found = (code: string, kind: string) => (object: string) => {
		const finding = {
			code,
			table: name,
			message: `${name} has the ${kind} ${object} on DELETE: it may keep rows, or remove others`,
			remedy: 'Drop it',
		}
		return unlessAcknowledged(finding, `${code}:${fullName(table)}.${object}`, acknowledged)
	}
	return [
		...table.deleteTriggers
			.filter((trigger) => !trigger.startsWith('reprieve_'))
			.flatMap(found('userTrigger', 'trigger')),
		...table.deleteRules.flatMap(found('userRule', 'rule')),
	]
}

function roleFindings(table: TableFacts, name: string, isProtecting: boolean): Finding[] {
	const findings: Finding[] = []
	if (table.isFiltered) {
		findings.push({
			code: 'rowSecurity',
			table: name,
			message: `row security of ${name} applies to reprieve's role: it would not see every row`,
			remedy: 'Give the role BYPASSRLS.',
		})
	}
	if (isProtecting && !table.isOwned) {
		findings.push({
			code: 'notOwner',
			table: name,
			message: `reprieve's owner role does not own ${name}`,
			remedy: `Connect as the owner of ${name} (REPRIEVE_OWNER_URL), or make that role a member of the owner's.`,
		})
	}
	return findings
}

/** The full name of a table in acknowledgements: the schema is never left out. */
function fullName(table: TableFacts): string {
	return `${table.schema}.${table.name}`
}

/** The finding, its remedy completed by the code that accepts it; nothing once that code was accepted. */
export function unlessAcknowledged(finding: Finding, code: string, acknowledged: ReadonlySet<string>): Finding[] {
	if (acknowledged.has(code)) return []
	return [{ ...finding, remedy: `${finding.remedy}, or acknowledge \`${code}\`.` }]
}
