import { type ChangeRows, quoteIdentifier, type SourceTable } from '@reprieve/contracts'
import type { Transaction } from '@reprieve/postgres'
import { type ColumnMap, mapColumns, type TableMap } from '../drift/map-columns.ts'
import { changeIdSql } from '../selection/identity.ts'
import { relinkOp } from './columns.ts'
import { copyRows } from './copy-rows.ts'
import { type Layout, layOut, readFillingPage } from './layout.ts'
import { type LongValue, partsOf, putInPieces, readByteColumns } from './pieces.ts'
import type { Places } from './places.ts'
import { checkRetyped } from './retyped.ts'

/** Archived rows of one live table in temporary tables of its column types, gone with the transaction. */
export type Stage = Layout & {
	/**
	 * SQL name of the table with what is to become of each row (`n`, `state`, `version`, `note`). `early`: as it was
	 * archived it would reference nothing, so it comes back with its older relinks undone.
	 */
	fate: string
	/** All of them are `missing`, and none has an entry there. */
	areMissing: boolean
	live: SourceTable
	/** formatTableName of the archived table, as the vault knows it. */
	archivedName: string
	/** One map per schema version met, in order of appearance. */
	maps: TableMap[]
	rows: number
	/** How many of them are relinks. */
	relinks: number
	/** Names of the live columns that it has values of; absent: of all. Rows are then compared by key alone. */
	only?: ReadonlySet<string> | undefined
	/** Place of the newest row where the values lie apart. */
	filled: string
	/** Names of the live columns that hold bytes, also under the name of a domain. */
	byteColumns: ReadonlySet<string>
	/** Values that were too long for a line. */
	long: LongValue[]
	/** Of the rows of a preview or start, by which these are compared. */
	places?: Places
}

/** Only a nested loop joins rows that together have more columns than a tuple may (1,664), and statistics make it chosen. */
export function isWide(stage: Stage): boolean {
	return stage.apart !== undefined || stage.live.columns.length > 800
}

/** Makes empty stages, all of them in one round trip. */
export async function openStages(
	tx: Transaction,
	targets: { live: SourceTable; archivedName: string; only?: ReadonlySet<string> | undefined }[],
): Promise<Stage[]> {
	if (targets.length === 0) return []
	const oids = targets.map(({ live }) => live.oid)
	const filling = await readFillingPage(tx, oids)
	const byteColumns = await readByteColumns(tx, oids)
	const opened = targets.map(({ live, archivedName, only }, number) => {
		const { layout, statements } = layOut(live, number, filling.has(live.oid))
		const fate = `pg_temp.fate_${number}`
		const fateTable = `create temp table fate_${number} (n int8 not null, state text not null, version text, note text,
			early bool not null default false) on commit drop`
		const stage: Stage = {
			...{
				...layout,
				fate,
				live,
				archivedName,
				maps: [],
				rows: 0,
				relinks: 0,
				areMissing: false,
				filled: '(0,0)',
				long: [],
			},
			...(layout.apart ? {} : { only }),
			byteColumns: byteColumns.get(live.oid) ?? new Set(),
		}
		return { stage, statements: [...statements, fateTable] }
	})
	await tx.unsafe(opened.flatMap(({ statements }) => statements).join(';'))
	return opened.map(({ stage }) => stage)
}

/** Drops what {@link openStages} made. */
export async function dropStages(tx: Transaction, stages: Stage[]): Promise<void> {
	if (stages.length === 0) return
	const tables = stages.flatMap(({ bookTable, apart, fate }) => [bookTable, fate, ...(apart ? [apart.table] : [])])
	await tx.unsafe(`drop table ${tables.join(', ')}`)
}

/**
 * Copies rows of a chunk into the stage, in the live column types, by PostgreSQL's own input functions. Throws
 * SCHEMA_DRIFT naming the value's column when one does not fit.
 */
export async function stageRows(
	tx: Transaction,
	stage: Stage,
	chunk: {
		rows: ChangeRows
		at: ArrayLike<number>
		timeline: (row: number) => number
		/** Number of each row and the live version that the preview saw; default: numbered in order, none seen. */
		listed?: (row: number) => { n: number; seen: string | null }
	},
	version: number,
): Promise<void> {
	const map = stage.maps[version] as TableMap
	const { rows, at } = chunk
	const first = stage.rows
	const listed = chunk.listed ?? numbered(rows.count, at, first)
	const position = positionsOf(rows)
	const leading = (row: number): (string | null)[] => {
		const rewritten = rows.rewritten[row] ?? null
		const { n, seen } = listed(row)
		return [
			String(n),
			String(version),
			String(chunk.timeline(row)),
			position(row),
			String(rows.ordinal[row]),
			String(rows.op[row]),
			rewritten && JSON.stringify(rewritten),
			seen,
		]
	}
	const n = (row: number) => listed(row).n
	for (const part of partsOf(rows, at, stagedColumns(stage, map))) {
		await copyRows(tx, stage, {
			...{ rows, at: part.at, leading },
			from: part.columns.map((column) => column.from),
			names: part.columns.map((column) => quoteIdentifier(column.to.name)),
		})
		for (const cell of part.long) await putInPieces(tx, stage, rows, { ...cell, n: n(cell.row) })
		await checkRetyped(tx, stage, part.columns, { rows, at: part.at, n })
	}
	stage.places?.add(rows, at, chunk.timeline)
	stage.rows += at.length
	for (const row of Array.from(at)) if (rows.op[row] === relinkOp) stage.relinks++
}

/** The text of a row's position, made once for rows that follow each other at one. */
function positionsOf(rows: ChangeRows): (row: number) => string {
	let [position, text] = [-1n, '']
	return (row) => {
		const own = rows.position[row] as bigint
		if (own !== position) [position, text] = [own, String(own)]
		return text
	}
}

/** SQL of the opaque id of a staged row's change. */
export function changeOf({ book, maps }: Stage, alias: string): string {
	const at = {
		timeline: `${alias}.${book.timeline}`,
		position: `${alias}.${book.position}`,
		ordinal: `${alias}.${book.ordinal}`,
	}
	const ids = maps.map((map) => changeIdSql(at, map.archived))
	if (new Set(ids).size <= 1) return ids[0] ?? 'null'
	return `case ${alias}.${book.v} ${ids.map((id, version) => `when ${version} then ${id}`).join(' ')} end`
}

/** The archived columns of which the stage takes values. */
export function stagedColumns({ only }: Stage, map: TableMap): ColumnMap[] {
	return only ? map.columns.filter(({ to }) => only.has(to.name)) : map.columns
}

function numbered(rows: number, at: ArrayLike<number>, first: number): (row: number) => { n: number; seen: null } {
	const numbers = new Float64Array(rows)
	for (let i = 0; i < at.length; i++) numbers[at[i] as number] = first + i
	return (row) => ({ n: numbers[row] as number, seen: null })
}

/** Index of the schema version's map in the stage, made when it is new. */
export function versionOf(stage: Stage, archived: SourceTable, rename: Record<string, string>): number {
	const shape = JSON.stringify([
		archived.oid,
		archived.columns.map((column) => [column.attnum, column.name, column.typeName]),
	])
	const known = stage.maps.findIndex(
		(map) =>
			JSON.stringify([
				map.archived.oid,
				map.archived.columns.map((column) => [column.attnum, column.name, column.typeName]),
			]) === shape,
	)
	if (known >= 0) return known
	stage.maps.push(mapColumns(archived, stage.live, rename))
	return stage.maps.length - 1
}
