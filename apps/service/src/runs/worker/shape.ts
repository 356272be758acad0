import { formatTableName, quoteIdentifier, quoteTable, ReprieveError, type SourceTable } from '@reprieve/contracts'
import type { PlanBody, PlannedTable } from '@reprieve/control'
import {
	arrayLiteral,
	describeTable,
	type IncomingForeignKey,
	readEqualityOperator,
	readFamilies,
	readIncoming,
	type Session,
} from '@reprieve/postgres'
import { scanRows, type Units } from '../../plans/scan-rows.ts'

/** One planned table as SQL needs it. */
export type TableShape = {
	planned: PlannedTable
	/** Quoted name of the source table. */
	source: string
	/** Its planned rows, as an item of FROM that needs an alias; of packed ones those of `units`, and some beside them. */
	rows(units?: Units): string
	/** Key columns of the source, quoted. */
	key: string[]
	/** Condition that row `alias` is the one that row `plan` of the rows table names, by leaf and key. */
	match(alias: string, plan: string): string
	/** The same for the keeper that it names. */
	matchKeeper(alias: string, plan: string): string
}

/** Everything of the catalog that a run's statements are made of. */
export type RunShape = {
	body: PlanBody
	tables: TableShape[]
	/** Foreign keys that refer to planned tables, wherever they lie. */
	incoming: IncomingForeignKey[]
	/** Each planned table with its partitions and inheritance children, by OID. */
	families: ReadonlyMap<number, ReadonlySet<number>>
	/** Tables that are only read, quoted: those that refer to planned ones, and the parent that must stay absent. */
	read: { oid: number; name: string }[]
	/** For orphans: whether the row that must stay absent exists, for row `t`; undefined when its table is gone. */
	parentCame?: string
	/** OIDs of planned tables. */
	oids: number[]
	/** Whether a trigger or rule of somebody's own hangs on them: only then can more go than the statement names. */
	hasTriggers: boolean
}

/** Reads the shape of a plan's tables. Throws SCHEMA_DRIFT when a planned table is gone. */
export async function readShape(sql: Session, body: PlanBody): Promise<RunShape> {
	const oids = [...new Set(body.tables.map((table) => table.oid))]
	const names = await readNames(sql, oids)
	const keys = await readKeyColumns(sql, body.tables)
	const tables = body.tables.map((planned, index) => tableShape(planned, named(names, planned), keys[index] ?? []))
	const incoming = await readIncoming(sql, oids)
	const parent = await readParent(sql, body)
	const parentCame = parent && (await readParentCame(sql, body, parent))
	const read = [...incoming.map((key) => key.child), ...(parent ? [parent] : [])]
		.filter(({ oid }) => !oids.includes(oid))
		.map((table) => ({ oid: table.oid, name: quoteTable(table) }))
	const families = await readFamilies(sql, oids)
	return { body, tables, incoming, families, oids, read, parentCame, hasTriggers: await readTriggers(sql, families) }
}

async function readParent(sql: Session, { witness }: PlanBody): Promise<SourceTable | undefined> {
	return witness.kind === 'absentParent' ? await describeTable(sql, witness.oid) : undefined
}

async function readTriggers(sql: Session, families: RunShape['families']): Promise<boolean> {
	const family = arrayLiteral([...new Set([...families.values()].flatMap((family) => [...family]))])
	const [row] = await sql<{ has: boolean }[]>`
		select exists (select from pg_trigger t join pg_proc p on p.oid = t.tgfoid
				where t.tgrelid = any(${family}::oid[]) and not t.tgisinternal and p.pronamespace <> 'reprieve'::regnamespace)
			or exists (select from pg_rewrite r where r.ev_class = any(${family}::oid[])) as has`
	return row?.has === true
}

async function readParentCame(
	sql: Session,
	{ tables, witness }: PlanBody,
	parent: SourceTable,
): Promise<string | undefined> {
	const own = await describeTable(sql, tables[0]?.oid ?? 0)
	if (!own || witness.kind !== 'absentParent') return undefined
	const pairs: string[] = []
	for (const [place, name] of witness.columns.entries()) {
		const reference = witness.references[place] ?? ''
		const target = parent.columns.find((column) => column.name === reference)
		const column = own.columns.find((candidate) => candidate.name === name)
		if (!target || !column) throw missingColumn(target ? name : reference)
		const equals = await readEqualityOperator(sql, target, column)
		pairs.push(equals(`parent.${quoteIdentifier(target.name)}`, `t.${quoteIdentifier(column.name)}`))
	}
	return `exists (select from ${quoteTable(parent)} parent where ${pairs.join(' and ')})`
}

function missingColumn(name: string | undefined): ReprieveError {
	return new ReprieveError('SCHEMA_DRIFT', `column ${name} of the reference does not exist any more`, {
		hint: 'Make a new plan.',
	})
}

/** Whether rows are deleted in steps (locked and compared first) or by one statement that does both. */
export function needsLocks(shape: RunShape): boolean {
	return shape.tables.length > 1 || shape.incoming.length > 0 || shape.body.witness.kind !== 'none'
}

type KeyColumn = { column: string; operator: string; collation: string | null }

function named(names: Map<number, string>, planned: PlannedTable): string {
	const name = names.get(planned.oid)
	if (name) return name
	throw new ReprieveError('SCHEMA_DRIFT', `${planned.table} (OID ${planned.oid}) does not exist any more`, {
		hint: 'Make a new plan.',
	})
}

function tableShape(planned: PlannedTable, source: string, columns: KeyColumn[]): TableShape {
	const matchKey = (alias: string, plan: string, prefix: 'k' | 'w') =>
		planned.key
			.map(({ typeName }, place) => {
				const { column, operator, collation } = columns[place] as KeyColumn
				const value = `(${plan}.${prefix}${place + 1})::${typeName}${collation ? ` collate ${collation}` : ''}`
				return `${alias}.${quoteIdentifier(column)} ${operator} ${value}`
			})
			.join(' and ')
	return {
		planned,
		source,
		rows: (units) => scanRows(planned, units),
		key: planned.key.map(({ column }) => quoteIdentifier(column)),
		match: (alias, plan) => `${alias}.tableoid = ${plan}.leaf and ${matchKey(alias, plan, 'k')}`,
		matchKeeper: (alias, plan) => `${alias}.tableoid = ${plan}.wleaf and ${matchKey(alias, plan, 'w')}`,
	}
}

async function readNames(sql: Session, oids: number[]): Promise<Map<number, string>> {
	const rows = await sql<{ oid: number; schema: string; name: string }[]>`
		select c.oid::int8::float8 as oid, n.nspname as schema, c.relname as name
		from pg_class c join pg_namespace n on n.oid = c.relnamespace where c.oid = any(${arrayLiteral(oids)}::oid[])`
	return new Map(rows.map((row) => [Number(row.oid), quoteTable(row)]))
}

/** The equality operator of each key column's own unique index, by qualified name: search_path does not find citext's. */
async function readKeyColumns(sql: Session, tables: PlannedTable[]): Promise<KeyColumn[][]> {
	const wanted = tables.flatMap(({ oid, key }, index) =>
		key.map(({ column }, place) => ({ index, place, oid, column })),
	)
	const rows = await sql<
		{ index: number; place: number; column: string; operator: string; collation: string | null }[]
	>`
		select w.index, w.place, w."column",
			format('operator(%I.%s)', coalesce(best.schema, 'pg_catalog'), coalesce(best.name, '=')) as operator,
			case when a.attcollation <> 0 then format('%I.%I', cn.nspname, co.collname) end as collation
		from json_to_recordset(${JSON.stringify(wanted)}::text::json) w(index int, place int, oid oid, "column" name)
		join pg_attribute a on a.attrelid = w.oid and a.attname = w."column" and not a.attisdropped
		left join pg_collation co on co.oid = a.attcollation left join pg_namespace cn on cn.oid = co.collnamespace
		left join lateral (
			select n.nspname as schema, o.oprname as name
			from pg_index i cross join unnest(i.indkey::int2[], i.indclass::oid[]) k(attnum, opclass)
			join pg_opclass oc on oc.oid = k.opclass
			join pg_amop am on am.amopfamily = oc.opcfamily and am.amopmethod = 403 and am.amopstrategy = 3
				and am.amoplefttype = oc.opcintype and am.amoprighttype = oc.opcintype
			join pg_operator o on o.oid = am.amopopr join pg_namespace n on n.oid = o.oprnamespace
			where i.indrelid = w.oid and i.indisunique and k.attnum = a.attnum
			order by i.indisprimary desc, i.indexrelid limit 1) best on true`
	return tables.map(({ key, table }, index) =>
		key.map(({ column }, place) => {
			const found = rows.find((row) => row.index === index && row.place === place)
			if (found) return found
			throw new ReprieveError('SCHEMA_DRIFT', `${table} has no column ${column} any more`, { hint: 'Make a new plan.' })
		}),
	)
}

/** Name of the root (of itself, when it is no partition) of each table given, by OID; formatTableName. */
export async function readRoots(sql: Session, oids: number[]): Promise<Map<number, { oid: number; table: string }>> {
	if (oids.length === 0) return new Map()
	const rows = await sql<{ oid: number; rootOid: number; schema: string; name: string }[]>`
		select t.oid::int8::float8 as oid, r.oid::int8::float8 as "rootOid", n.nspname as schema, r.relname as name
		from unnest(${arrayLiteral(oids)}::oid[]) t(oid)
		join pg_class r on r.oid = coalesce(pg_partition_root(t.oid), t.oid)
		join pg_namespace n on n.oid = r.relnamespace`
	return new Map(rows.map((row) => [Number(row.oid), { oid: Number(row.rootOid), table: formatTableName(row) }]))
}
