import type { Relation } from '@reprieve/cdc'
import type { SourceColumn, SourceTable } from '@reprieve/contracts'
import { placeColumns, type Slot } from './slots.ts'

/** A schema version that a relation's rows are written under, and where the relation has each of its columns. */
export type Match = {
	table: SourceTable
	/** Parallel to `table.columns`: place in the relation, -1 when the stream does not carry the column. */
	places: Int16Array
}

export type Known = {
	/** The root as the catalog has it now; absent when it was dropped. */
	catalog?: SourceTable
	/** The newest schema version in the vault of the same table (same OID). */
	archived?: SourceTable
}

/**
 * Finds the schema version that a relation's shape belongs to: the catalog's, the vault's newest, or the relation's own
 * columns found in either (dropped or added since). Names alone are not enough: type and modifier must agree.
 * Undefined when a column is in neither: then its attnum cannot be known.
 */
export function matchRelation(relation: Relation, known: Known): Match | undefined {
	for (const table of [known.catalog, known.archived]) {
		if (table && isWhole(relation, table)) return { table, places: placesOf(relation, table) }
	}
	const base = known.catalog ?? known.archived
	if (!base) return undefined
	const columns = relation.columns.map((column) => find(known.catalog, column) ?? find(known.archived, column))
	const found = columns.filter((column) => column !== undefined)
	if (found.length < columns.length || new Set(found.map((column) => column.attnum)).size < found.length)
		return undefined
	const table = withColumns(
		base,
		found.toSorted((a, b) => a.attnum - b.attnum),
	)
	return { table, places: placesOf(relation, table) }
}

/** The name of a column's type as a cast understands it, and pg_type.typtype. */
export type TypeName = { name: string; kind: string }

/**
 * A version made from the stream, with the numbers that its columns have in a table of the catalog that was altered since:
 * what was retyped or renamed is another version of the same column. A partition's columns are its root's by name.
 * Undefined when they cannot be told.
 */
export function matchAltered(
	relation: Relation,
	known: { table: SourceTable; leaf: SourceTable; slots: Slot[] },
	types: TypeName[],
): Match | undefined {
	const placed = placeColumns(relation.columns, known.slots)
	const attnums = known.leaf.oid === known.table.oid ? placed : placed?.map((attnum) => numberInRoot(attnum, known))
	if (!attnums?.every((attnum) => attnum !== undefined)) return undefined
	const columns = streamColumns(relation, types).map((column, place) => {
		const attnum = attnums[place] as number
		const now = known.table.columns.find((each) => each.attnum === attnum)
		const isSame = now?.name === column.name && now.typeOid === column.typeOid && now.typmod === column.typmod
		return isSame ? now : { ...column, attnum }
	})
	const nameNow = new Map(columns.map(({ attnum, name }) => [attnum, name]))
	const key = known.table.key.flatMap(
		(name) => nameNow.get(known.table.columns.find((column) => column.name === name)?.attnum ?? 0) ?? [],
	)
	const version = withColumns(known.table, columns)
	const table = { ...version, key: key.length === known.table.key.length ? key : [] }
	return { table, places: placesOf(relation, table) }
}

function numberInRoot(attnum: number, known: { table: SourceTable; leaf: SourceTable }): number | undefined {
	const name = known.leaf.columns.find((column) => column.attnum === attnum)?.name
	return known.table.columns.find((column) => column.name === name)?.attnum
}

/** A version made from the stream alone, for a table that was dropped before its rows arrived. */
export function matchDropped(relation: Relation, types: TypeName[]): Match {
	const { oid, schema, name } = relation
	const columns = streamColumns(relation, types)
	const table: SourceTable = { oid, schema, name, kind: 'r', columns, key: [], foreignKeys: [] }
	return { table, places: placesOf(relation, table) }
}

function streamColumns(relation: Relation, types: TypeName[]): SourceColumn[] {
	return relation.columns.map(({ name, typeOid, typmod }, place) => ({
		...{ attnum: place + 1, name, typeOid, typmod },
		typeName: types[place]?.name ?? 'text',
		typeKind: types[place]?.kind ?? 'b',
		...{ notNull: false, generated: '', identity: '' },
	}))
}

function isWhole(relation: Relation, table: SourceTable): boolean {
	const carried = new Set(relation.columns.map((column) => column.name))
	return (
		relation.columns.every((column) => find(table, column)) &&
		table.columns.every((column) => column.generated !== '' || carried.has(column.name))
	)
}

function find(table: SourceTable | undefined, column: Relation['columns'][number]): SourceColumn | undefined {
	return table?.columns.find(
		(known) => known.name === column.name && known.typeOid === column.typeOid && known.typmod === column.typmod,
	)
}

function placesOf(relation: Relation, table: SourceTable): Int16Array {
	const places = new Map(relation.columns.map((column, place) => [column.name, place]))
	return Int16Array.from(table.columns, (column) => places.get(column.name) ?? -1)
}

function withColumns(table: SourceTable, columns: SourceColumn[]): SourceTable {
	const names = new Set(columns.map((column) => column.name))
	const hasAll = (list: string[]) => list.every((name) => names.has(name))
	return {
		...table,
		columns,
		key: hasAll(table.key) ? table.key : [],
		foreignKeys: table.foreignKeys.filter((key) => hasAll(key.columns)),
	}
}
