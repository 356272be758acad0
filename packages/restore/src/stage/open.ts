import { type ChangeRows, quoteIdentifier, ReprieveError, type SourceTable } from '@reprieve/contracts'
import type { Transaction } from '@reprieve/postgres'
import { mapColumns, type TableMap } from '../drift/map-columns.ts'
import { formatChangeId } from '../selection/identity.ts'
import { literal, textOf } from './columns.ts'
import { copyInto, copyRows } from './copy-rows.ts'
import { copyText } from './copy-text.ts'
import { type Layout, makeTables } from './layout.ts'
import { longCells, putInPieces, withoutCells } from './pieces.ts'

/** Archived rows of one live table in temporary tables of its column types, gone with the transaction. */
export type Stage = Layout & {
	/**
	 * SQL name of the table with what is to become of each row (`n`, `state`, `version`, `note`). `early`: as it was
	 * archived it would reference nothing, so it comes back with its older relinks undone.
	 */
	fate: string
	live: SourceTable
	/** formatTableName of the archived table, as the vault knows it. */
	archivedName: string
	/** One map per schema version met, in order of appearance. */
	maps: TableMap[]
	rows: number
	/** Place of the newest row where the values lie apart. */
	filled: string
}

/** Makes an empty stage. */
export async function openStage(
	tx: Transaction,
	live: SourceTable,
	archivedName: string,
	number: number,
): Promise<Stage> {
	const layout = await makeTables(tx, live, number)
	const fate = `pg_temp.fate_${number}`
	await tx.unsafe(
		`create temp table fate_${number} (n int8 not null, state text not null, version text, note text,
			early bool not null default false) on commit drop`,
	)
	return { ...layout, fate, live, archivedName, maps: [], rows: 0, filled: '(0,0)' }
}

/** Drops what {@link openStage} made. */
export async function dropStage(tx: Transaction, { bookTable, apart, fate }: Stage): Promise<void> {
	await tx.unsafe(`drop table ${[bookTable, fate, ...(apart ? [apart.table] : [])].join(', ')}`)
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
	const table = map.archived
	const { rows, at } = chunk
	const first = stage.rows
	const numbers = new Map(Array.from(at, (row, i) => [row, first + i]))
	const listed = chunk.listed ?? ((row: number) => ({ n: numbers.get(row) as number, seen: null }))
	const leading = (row: number): (string | null)[] => {
		const rewritten = rows.rewritten[row] ?? null
		const { n, seen } = listed(row)
		const position = { timeline: chunk.timeline(row), lsn: rows.position[row] as bigint }
		return [
			String(n),
			String(version),
			String(position.timeline),
			String(position.lsn),
			String(rows.ordinal[row]),
			String(rows.op[row]),
			rewritten && JSON.stringify(rewritten),
			seen,
			formatChangeId({ position, ordinal: rows.ordinal[row] as number, table }),
		]
	}
	// Where the values lie apart a row is found by its place, which an update would change.
	const long = stage.apart ? [] : longCells(rows, at, map.columns)
	await copyRows(tx, stage, {
		...{ rows: withoutCells(rows, long), at, leading },
		from: map.columns.map((column) => column.from),
		names: map.columns.map((column) => quoteIdentifier(column.to.name)),
	})
	for (const cell of long) await putInPieces(tx, stage, rows, { ...cell, n: listed(cell.row).n })
	await checkRetyped(tx, stage, map, { rows, at, n: (row) => listed(row).n })
	stage.rows += at.length
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

/** A value accepted under another type must read back as the archived text ('007' is not 7). */
async function checkRetyped(
	tx: Transaction,
	stage: Stage,
	map: TableMap,
	chunk: { rows: ChangeRows; at: ArrayLike<number>; n: (row: number) => number },
): Promise<void> {
	const retyped = map.columns.filter((column) => column.retyped)
	if (retyped.length === 0) return
	const fields = retyped.map((_, i) => `c${i}`)
	await tx.unsafe(
		`create temp table retyped (n int8, ${fields.map((field) => `${field} text`).join(', ')}) on commit drop`,
	)
	const lines = copyText(
		chunk.rows,
		chunk.at,
		retyped.map((column) => column.from),
		(row) => [String(chunk.n(row))],
	)
	await copyInto(tx, `copy pg_temp.retyped (n, ${fields.join(', ')}) from stdin`, lines, stage)
	for (const [i, column] of retyped.entries()) {
		const name = quoteIdentifier(column.to.name)
		const [odd] = await tx.unsafe<{ archived: string | null; live: string | null }[]>(
			`select r.c${i} as archived, ${textOf(`s.${name}`)} as live from pg_temp.retyped r
			join ${stage.sql} s on s.${stage.book.n} = r.n where (${textOf(`s.${name}`)}) is distinct from r.c${i} limit 1`,
		)
		if (odd) throw readsBackOtherwise(stage, column.to.name, odd)
	}
	await tx.unsafe('drop table pg_temp.retyped')
}

function readsBackOtherwise(
	stage: Stage,
	column: string,
	odd: { archived: string | null; live: string | null },
): ReprieveError {
	return new ReprieveError(
		'SCHEMA_DRIFT',
		`${stage.archivedName}: archived ${literal(odd.archived ?? '')} reads back as ${literal(odd.live ?? '')} in "${column}"`,
		{ hint: 'Map the archived column to one that keeps its values.' },
	)
}
