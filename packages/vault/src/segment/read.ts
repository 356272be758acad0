import { type ChangeRows, changeOps, type SourceTable, type TextColumn } from '@reprieve/contracts'
import type { VaultColumn } from '../columns.ts'
import { codecOf } from '../values/types.ts'
import { buildCells, cellsOf } from './cells.ts'
import type { ParquetFile } from './parquet.ts'

/** One row group, decoded as far as it was asked for. */
export type RowGroup = {
	table: SourceTable
	rows: number
	/** Values of one column of the file; cached. */
	values(column: string): Promise<ArrayLike<unknown>>
	/** PostgreSQL text of one source column, by its place in `table.columns`. */
	texts(column: number): Promise<(row: number) => Cell>
	/** Forgets the values of one source column. */
	release(column: number): void
}

/** A cell's PostgreSQL text, as a string or as UTF-8; null is NULL. */
export type Cell = string | Uint8Array | null

/** One row of a row group. */
export type RowRef = { group: RowGroup; row: number }

/** The row groups of a segment, in file order. */
export function rowGroupsOf(file: ParquetFile, table: SourceTable, columns: readonly VaultColumn[]): RowGroup[] {
	return file.groups.map((range) => openGroup(file, range, { table, columns }))
}

function openGroup(
	file: ParquetFile,
	range: { start: number; end: number },
	{ table, columns }: { table: SourceTable; columns: readonly VaultColumn[] },
): RowGroup {
	const cache = new Map<string, Promise<ArrayLike<unknown>>>()
	const values = (column: string) => {
		const known = cache.get(column) ?? file.read(column, range)
		cache.set(column, known)
		return known
	}
	return {
		table,
		rows: range.end - range.start,
		values,
		async texts(at) {
			const column = columns[at] as VaultColumn
			const native = await values(column.name)
			const isWhole = native.length > 0 && !hasNull(native)
			const exact = isWhole ? [] : ((await values('_exact')) as ArrayLike<MapCell>)
			const { decode } = codecOf(column.type)
			return (row) => {
				const cell = native[row]
				return cell === null || cell === undefined ? (exact[row]?.[column.name] ?? null) : decode(cell)
			}
		},
		release: (at) => void cache.delete((columns[at] as VaultColumn).name),
	}
}

function hasNull(cells: ArrayLike<unknown>): boolean {
	for (let row = 0; row < cells.length; row++) if (cells[row] === null || cells[row] === undefined) return true
	return false
}

type MapCell = Record<string, string | null> | null | undefined

/**
 * The given rows, which all are of one schema version, as changes; with `wanted`, without values in other columns. With
 * `isFinal`, for rows that nothing is asked of afterwards, one column at a time is held in memory.
 */
export async function changesOf(
	refs: readonly RowRef[],
	table: SourceTable,
	{ isFinal = false, wanted }: { isFinal?: boolean; wanted?: ReadonlySet<number> | undefined } = {},
): Promise<ChangeRows> {
	const places = placesOf(refs)
	const gather = async <T>(column: string): Promise<T[]> => {
		const values = await Promise.all(places.groups.map((group) => group.values(column)))
		return refs.map(({ row }, at) => values[places.group[at] as number]?.[row] as T)
	}
	const columns: TextColumn[] = []
	for (let at = 0; at < table.columns.length; at++) {
		columns.push(wanted && !wanted.has(at) ? cellsOf(new Array(refs.length).fill(null)) : await gatherTexts(places, at))
		if (isFinal) for (const group of places.groups) group.release(at)
	}
	const ops = await gather<Uint8Array>('_op')
	return {
		table,
		count: refs.length,
		columns,
		op: Uint8Array.from(ops, opOf),
		position: BigUint64Array.from(await gather<bigint>('_position')),
		ordinal: Uint32Array.from(await gather<number>('_ordinal')),
		xid: Uint32Array.from(await gather<bigint>('_xid'), Number),
		committedAt: BigInt64Array.from(await gather<bigint>('_committed_at')),
		leaf: (await gather<Uint8Array | null | undefined>('_leaf')).map((name) => (name ? textOf(name) : null)),
		rewritten: (await gather<MapCell>('_rewritten')).map((map) => map ?? null),
	}
}

/** Rows by the number of their row group and their place in it: nothing is looked up for a cell. */
type Places = { groups: RowGroup[]; group: Uint32Array; row: Uint32Array }

function placesOf(refs: readonly RowRef[]): Places {
	const groups = [...new Set(refs.map((ref) => ref.group))]
	const numbers = new Map(groups.map((group, number) => [group, number]))
	return {
		groups,
		group: Uint32Array.from(refs, (ref) => numbers.get(ref.group) as number),
		row: Uint32Array.from(refs, (ref) => ref.row),
	}
}

async function gatherTexts({ groups, group, row }: Places, column: number): Promise<TextColumn> {
	const texts = await Promise.all(groups.map((each) => each.texts(column)))
	const builder = buildCells(row.length)
	for (let at = 0; at < row.length; at++) {
		const textOfRow = texts[group[at] as number] as (row: number) => Cell
		builder.push(textOfRow(row[at] as number))
	}
	return builder.finish()
}

function opOf(name: Uint8Array): number {
	const op = (changeOps as readonly string[]).indexOf(textOf(name))
	if (op < 0) throw new RangeError(`"${textOf(name)}" is not a kind of change`)
	return op
}

function textOf(bytes: Uint8Array): string {
	return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString()
}
