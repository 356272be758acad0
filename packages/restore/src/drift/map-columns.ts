import { type Finding, formatTableName, type SourceColumn, type SourceTable } from '@reprieve/contracts'

/** One archived column and the live column that takes its values. */
export type ColumnMap = {
	/** Index into the archived table's columns. */
	from: number
	to: SourceColumn
	/** The live type is another: each value must read back as the archived text. */
	retyped: boolean
}

/** How the rows of one schema version go into the live table. */
export type TableMap = {
	archived: SourceTable
	live: SourceTable
	columns: ColumnMap[]
	/** What changed since; those with code `schemaDrift` stop the restore. */
	findings: Finding[]
}

/** Code of a finding that makes a restore impossible until a rename map answers it. */
export const driftCode = 'schemaDrift'

/**
 * Maps an archived schema version to the live table by incarnation: OID of the table and attnum of each column, never
 * by name alone (exactness.md 7.5). `rename` (archived column -> live column, or '' to leave its values in the archive)
 * overrides that for the columns that it names.
 */
export function mapColumns(archived: SourceTable, live: SourceTable, rename: Record<string, string> = {}): TableMap {
	const table = formatTableName(archived)
	const findings: Finding[] = []
	const columns: ColumnMap[] = []
	for (const [from, column] of archived.columns.entries()) {
		if (column.generated !== '') continue
		const placed = place(column, archived, live, rename)
		if ('to' in placed) columns.push({ from, ...placed })
		else if (placed.problem) findings.push({ code: driftCode, table, ...placed.problem })
	}
	findings.push(...twice(columns, table), ...added(columns, live, table))
	return { archived, live, columns, findings }
}

/** A map's own entry: a column or table may be called `constructor`, which every object inherits. */
export function ownEntry<Value>(map: Readonly<Record<string, Value>>, name: string): Value | undefined {
	return Object.hasOwn(map, name) ? map[name] : undefined
}

type Problem = { message: string; remedy: string }
type Placed = { to: SourceColumn; retyped: boolean } | { problem?: Problem }

function place(column: SourceColumn, archived: SourceTable, live: SourceTable, rename: Record<string, string>): Placed {
	const named = ownEntry(rename, column.name)
	if (named === '') return {}
	if (named !== undefined) return placeByMap(column, live, named)
	const same = live.oid === archived.oid ? live.columns.find((other) => other.attnum === column.attnum) : undefined
	if (same?.generated) return { problem: becameGenerated(column) }
	if (same && same.name === column.name) {
		return same.typeName === column.typeName ? { to: same, retyped: false } : { problem: retyped(column, same) }
	}
	return { problem: same ? renamed(column, same) : missing(column, archived, live) }
}

function placeByMap(column: SourceColumn, live: SourceTable, name: string): Placed {
	const to = live.columns.find((other) => other.name === name)
	if (to && to.generated === '') return { to, retyped: to.typeName !== column.typeName }
	return {
		problem: {
			message: `the rename map sends "${column.name}" to "${name}", which is ${to ? 'a generated column' : 'no column'} of the live table`,
			remedy: 'Name a stored column of the live table.',
		},
	}
}

function renamed(column: SourceColumn, now: SourceColumn): Problem {
	return {
		message: `column "${column.name}" is called "${now.name}" now`,
		remedy: `Map it: rename {"${column.name}": "${now.name}"}.`,
	}
}

function retyped(column: SourceColumn, now: SourceColumn): Problem {
	return {
		message: `column "${column.name}" was ${column.typeName} and is ${now.typeName} now`,
		remedy: `Map it to itself to accept values that read back unchanged: rename {"${column.name}": "${now.name}"}.`,
	}
}

function becameGenerated(column: SourceColumn): Problem {
	return {
		message: `column "${column.name}" held its own values and is generated now`,
		remedy: `Leave its values in the archive: rename {"${column.name}": ""}.`,
	}
}

function missing(column: SourceColumn, archived: SourceTable, live: SourceTable): Problem {
	const homonym = live.columns.find((other) => other.name === column.name)
	if (!homonym) {
		return {
			message: `column "${column.name}" is gone`,
			remedy: `Map it to the column that took its place, or leave its values in the archive: rename {"${column.name}": ""}.`,
		}
	}
	const why =
		live.oid === archived.oid
			? `attnum ${column.attnum} was dropped, attnum ${homonym.attnum} added`
			: `table OID ${archived.oid} was dropped, ${live.oid} created`
	return {
		message: `column "${column.name}" is another one of the same name (${why})`,
		remedy: `Map it to say that it is the same: rename {"${column.name}": "${homonym.name}"}.`,
	}
}

function twice(columns: ColumnMap[], table: string): Finding[] {
	const names = columns.map((column) => column.to.name)
	return [...new Set(names.filter((name, i) => names.indexOf(name) !== i))].map((name) => ({
		code: driftCode,
		table,
		message: `two archived columns go to "${name}"`,
		remedy: 'Send one of them to another column.',
	}))
}

function added(columns: ColumnMap[], live: SourceTable, table: string): Finding[] {
	const taken = new Set(columns.map((column) => column.to.name))
	return live.columns
		.filter((column) => column.generated === '' && !taken.has(column.name))
		.map((column) => {
			const filled = column.default !== undefined || column.identity !== ''
			const whole = filled || !column.notNull
			return {
				code: whole ? 'columnAdded' : driftCode,
				table,
				message: whole
					? `column "${column.name}" is not in the archive and gets its ${filled ? 'default' : 'NULL'}`
					: `column "${column.name}" is not in the archive, NOT NULL and without default`,
				remedy: whole ? 'Nothing to do.' : `Give "${column.name}" a default, or map an archived column to it.`,
			}
		})
}
