import { formatTableName, quoteTable, type SourceTable } from '@reprieve/contracts'
import type { PlanBody, PlannedTable } from '@reprieve/control'
import {
	closureHash,
	describeTables,
	type IncomingForeignKey,
	readColumnNumbers,
	readIncoming,
	type Transaction,
} from '@reprieve/postgres'
import { orderByForeignKeys, reportedRows } from '@reprieve/restore'
import { isSameRow, keyColumns, keyOf, numbered } from '../../plans/source.ts'

/** A restored table of which rows are to go again. */
type Undone = { table: SourceTable; name: string; oid: number }

/**
 * Writes the per-plan tables of an undo: the restored rows at the versions that the restore wrote, children in units
 * before their parents, tables that reference each other in one unit. Relinked rows go along as dependents of the
 * parents by whose deletion their foreign key is rewritten again.
 */
export async function writeUndoRows(
	tx: Transaction,
	undo: { restoreId: string; prefix: string; tables: { name: string; oid: number }[] },
): Promise<PlanBody> {
	const described = await describeTables(
		tx,
		undo.tables.map((table) => table.oid),
	)
	const tables = undo.tables.flatMap(({ name, oid }) => {
		const table = described.find((each) => each.oid === oid)
		return table ? [{ table, name, oid }] : []
	})
	await numberUnits(tx, undo.restoreId, tables)
	const planned: PlannedTable[] = []
	for (const each of tables) {
		const rowsTable = `${undo.prefix}_${planned.length}`
		const rows = await writeDeletes(tx, { ...undo, ...each, rowsTable })
		if (rows === 0) await tx.unsafe(`drop table reprieve.${rowsTable}`)
		else planned.push(plannedTable(each.table, { rowsTable, rows, action: 'delete', rewrites: [] }))
	}
	const rewriting = (await readIncoming(tx, oidsOf(tables))).filter((key) => /^set/.test(key.onDelete))
	for (const key of rewriting) {
		const rowsTable = `${undo.prefix}_${planned.length}`
		const relinked = await writeRelinked(tx, { tables, key, rowsTable, restoreId: undo.restoreId })
		if (relinked) planned.push(relinked)
	}
	return await toBody(tx, planned)
}

function oidsOf(tables: Undone[]): number[] {
	return tables.map((table) => table.oid)
}

const written = "r.state in ('restored', 'altered') and r.version is not null"

/** The list's order has parents first, so units run against it. */
async function numberUnits(tx: Transaction, restoreId: string, tables: Undone[]): Promise<void> {
	const edges = tables.flatMap(({ table }) =>
		table.foreignKeys.map((key) => ({ child: table.oid, parent: key.references.oid })),
	)
	const components = orderByForeignKeys(oidsOf(tables), edges)
	const together = components.flatMap((component, index) =>
		component.internal
			? tables.filter((each) => component.tables.includes(each.oid)).map((each) => ({ name: each.name, index }))
			: [],
	)
	await tx.unsafe(
		`create temp table undo_units on commit drop as
		select n, dense_rank() over (order by last desc) as unit from (
			select r.n, max(r.n) over (partition by coalesce(g.index, -1), case when g.index is null then r.n end) as last
			from ${reportedRows} r
			left join json_to_recordset($2::text::json) g(name text, index int) on g.name = r."table"
			where r.restore_id = $1 and ${written}) numbered`,
		[restoreId, JSON.stringify(together)],
	)
	await tx.unsafe('create unique index on pg_temp.undo_units (n)')
}

type Share = Undone & { restoreId: string; rowsTable: string }

async function writeDeletes(tx: Transaction, { table, name, oid, restoreId, rowsTable }: Share): Promise<number> {
	const key = await createRows(tx, table, rowsTable)
	const names = numbered(key.length, 'k')
	const values = key.map(({ storedType }, place) => `(r.key ->> $${place + 4})::${storedType} as k${place + 1}`)
	const done = await tx.unsafe(
		`insert into reprieve.${rowsTable} (unit, n, leaf, ${names.join(', ')}, version)
		select w.unit, row_number() over (partition by w.unit order by w.n), coalesce(t.tableoid, $3::int8::oid),
			${names.map((each) => `w.${each}`).join(', ')}, w.version
		from (select u.unit, r.n, r.version::xid as version, ${values.join(', ')}
			from ${reportedRows} r join pg_temp.undo_units u on u.n = r.n
			where r.restore_id = $1 and r."table" = $2 and ${written}) w
		left join ${quoteTable(table)} t on ${isSameRow(key, 't', 'w')}`,
		[restoreId, name, oid, ...key.map(({ column }) => column)],
	)
	await finishRows(tx, rowsTable)
	return done.count
}

/** Rows that the restore pointed back at a parent which goes again: their foreign key is rewritten with it. */
async function writeRelinked(
	tx: Transaction,
	share: { tables: Undone[]; key: IncomingForeignKey; rowsTable: string; restoreId: string },
): Promise<PlannedTable | undefined> {
	const { tables, key, rowsTable, restoreId } = share
	const child = tables.find((each) => each.oid === key.child.rootOid)
	const parent = tables.find((each) => each.oid === key.parent.rootOid)
	if (!child || !parent) return undefined
	const columns = await createRows(tx, child.table, rowsTable)
	const parentKey = keyColumns(parent.table)
	const cast = (of: typeof columns, alias: string, first: number) =>
		of.map(({ storedType }, i) => `(${alias}.key ->> $${i + first})::${storedType} as k${i + 1}`).join(', ')
	const points = key.operators
		.map((operator, i) => `p.${quoted(key.parent.columns[i])} ${operator} c.${quoted(key.child.columns[i])}`)
		.join(' and ')
	const done = await tx.unsafe(
		`insert into reprieve.${rowsTable} (unit, n, leaf, ${numbered(columns.length, 'k').join(', ')}, version)
		select d.unit, row_number() over (partition by d.unit order by l.n), c.tableoid, ${keyOf(child.table, 'c').join(', ')}, l.version
		from (select r.n, r.version::xid as version, ${cast(columns, 'r', 4)} from ${reportedRows} r
			where r.restore_id = $1 and r."table" = $2 and r.state = 'relinked') l
		join ${quoteTable(child.table)} c on ${isSameRow(columns, 'c', 'l')}
		join ${quoteTable(parent.table)} p on ${points}
		join (select u.unit, ${cast(parentKey, 'r', 4 + columns.length)} from ${reportedRows} r
			join pg_temp.undo_units u on u.n = r.n where r.restore_id = $1 and r."table" = $3) d on ${isSameRow(parentKey, 'p', 'd')}`,
		[restoreId, child.name, parent.name, ...[...columns, ...parentKey].map(({ column }) => column)],
	)
	if (done.count === 0) {
		await tx.unsafe(`drop table reprieve.${rowsTable}`)
		return undefined
	}
	await finishRows(tx, rowsTable)
	const action = key.onDelete === 'setNull' ? 'setNull' : 'setDefault'
	const rest = { rowsTable, rows: done.count, action, rewrites: key.rewrites, foreignKey: key.name } as const
	return plannedTable(child.table, rest)
}

function quoted(name: string | undefined): string {
	return `"${(name ?? '').replaceAll('"', '""')}"`
}

async function createRows(tx: Transaction, table: SourceTable, rowsTable: string) {
	const key = keyColumns(table)
	const columns = key.map(({ storedType }, place) => `k${place + 1} ${storedType} not null`)
	await tx.unsafe(`create table reprieve.${rowsTable}
		(unit bigint not null, n int not null, leaf oid not null, ${columns.join(', ')}, version xid not null)`)
	return key
}

async function finishRows(tx: Transaction, rowsTable: string): Promise<void> {
	await tx.unsafe(`alter table reprieve.${rowsTable} add primary key (unit, n)`)
	await tx.unsafe(`analyze reprieve.${rowsTable}`)
}

type PlannedRest = Pick<PlannedTable, 'rowsTable' | 'rows' | 'action' | 'rewrites' | 'foreignKey'>

function plannedTable(table: SourceTable, rest: PlannedRest): PlannedTable {
	const key = keyColumns(table).map(({ column, typeName }) => ({ column, typeName }))
	return { oid: table.oid, table: formatTableName(table), key, ...rest }
}

async function toBody(tx: Transaction, tables: PlannedTable[]): Promise<PlanBody> {
	const counts = tables.map((table) => `select unit, count(*) as rows from reprieve.${table.rowsTable} group by unit`)
	const [row] = counts.length
		? await tx.unsafe<{ units: number; largest: number }[]>(
				`select coalesce(max(unit), 0)::float8 as units, coalesce(max(rows), 0)::float8 as largest
				from (select unit, sum(rows) as rows from (${counts.join(' union all ')}) each_table group by unit) units`,
			)
		: []
	const oids = [...new Set(tables.map((table) => table.oid))]
	return {
		tables,
		witness: { kind: 'none' },
		closureHash: await closureHash(tx, oids),
		columns: await readColumnNumbers(tx, oids),
		units: row?.units ?? 0,
		largestUnit: row?.largest ?? 0,
	}
}
