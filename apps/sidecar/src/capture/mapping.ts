import type { Relation } from '@reprieve/cdc'
import { formatTableName, type SourceTable } from '@reprieve/contracts'
import type { TableBuffer } from '../archive/buffer.ts'
import type { RelationFacts } from './catalog.ts'
import type { Match } from './match.ts'

/** A parent's columns, and where a row has the values that name them. */
type ParentKey = { name: string; places: number[] }

/** A foreign key that SET NULL or SET DEFAULT rewrites. */
type RelinkKey = { parent: string; places: number[]; columns: string[] }

/** Everything that a row of one relation needs, looked up once per Relation message. */
export type Mapping = {
	relation: Relation
	table: SourceTable
	/** formatTableName of the root. */
	label: string
	leaf: string | null
	rootOid: number
	places: Int16Array
	buffer: TableBuffer<unknown>
	/** Places that are never NULL in a whole row. */
	notNull: number[]
	/** For a leaf: places that stay the same when a row moves to another leaf. */
	staying: number[] | undefined
	parents: ParentKey[]
	relinks: RelinkKey[]
}

export type MappingInput = {
	relation: Relation
	facts: RelationFacts
	match: Match
	archived?: SourceTable
	/** Columns whose NOT NULL may be younger than the rows. */
	unproven?: string[]
	buffer: TableBuffer<unknown>
}

/** Puts a mapping together. Pure. */
export function makeMapping({ relation, facts, match, archived, unproven, buffer }: MappingInput): Mapping {
	const placeOf = (name: string) => relation.columns.findIndex((column) => column.name === name)
	return {
		relation,
		table: match.table,
		label: buffer.label,
		leaf: facts.isPartition ? formatTableName(relation) : null,
		rootOid: facts.rootOid,
		places: match.places,
		buffer,
		notNull: match.table.columns
			.filter(({ name, notNull }) => notNull && isNotNull(archived, name) && !unproven?.includes(name))
			.map((column) => placeOf(column.name))
			.filter((place) => place >= 0),
		staying: facts.isPartition ? stayingPlaces(relation, facts, match.table) : undefined,
		parents: facts.referenced.map(({ oid, columns }) => ({
			name: parentName(oid, columns),
			places: columns.map(placeOf),
		})),
		relinks: relinksOf(facts, match.table, placeOf),
	}
}

/** A column that became NOT NULL after the row went may be NULL in it: only one that always was counts. */
function isNotNull(archived: SourceTable | undefined, name: string): boolean {
	return archived?.columns.find((column) => column.name === name)?.notNull ?? true
}

/** The key outside the partition columns; a key that has nothing else is no proof, so then all other columns. */
function stayingPlaces(relation: Relation, facts: RelationFacts, table: SourceTable): number[] {
	const partition = new Set(facts.hasPartitionExpression ? [] : facts.partitionColumns)
	const key = table.key.filter((name) => !partition.has(name))
	const staying = (name: string) => (key.length > 0 ? key.includes(name) : !partition.has(name))
	return relation.columns.flatMap((column, place) => (staying(column.name) ? [place] : []))
}

function relinksOf(facts: RelationFacts, table: SourceTable, placeOf: (name: string) => number): RelinkKey[] {
	return (facts.table ?? table).foreignKeys
		.filter((key) => key.onDelete === 'setNull' || key.onDelete === 'setDefault')
		.map((key) => ({
			parent: parentName(key.references.oid, key.references.columns),
			places: key.columns.map(placeOf),
			columns: key.columns,
		}))
		.filter((key) => key.places.every((place) => place >= 0))
}

function parentName(oid: number, columns: string[]): string {
	return JSON.stringify([Number(oid), ...columns])
}
