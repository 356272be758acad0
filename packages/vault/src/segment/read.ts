import { type ChangeRows, changeOps, type SourceTable, type TextColumn } from '@reprieve/contracts'
import type { VaultColumn } from '../columns.ts'
import type { DeltaType } from '../values/codec.ts'
import { codecOf } from '../values/types.ts'
import { buildCells, cellsOf } from './cells.ts'
import type { Plain } from './pages.ts'
import type { ParquetFile } from './parquet.ts'
import { putPlain } from './plain.ts'
import type { Scratch } from './scratch.ts'

/** One row group, decoded as far as it was asked for. */
export type RowGroup = {
	table: SourceTable
	rows: number
	/** Of all its columns, uncompressed. */
	plainBytes: number
	/** Values of one column of the file; cached. */
	values(column: string): Promise<ArrayLike<unknown>>
	/** PostgreSQL text of one source column, by its place in `table.columns`. */
	texts(column: number): Promise<(row: number) => Cell>
	/** The native values of a flat column of the file as Parquet's bytes, put behind what is written. */
	plain(column: { name: string; type: DeltaType }, out: Scratch): Promise<Plain>
	/** Forgets the values of every column but `_exact`, which others need too. */
	release(): void
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
	range: ParquetFile['groups'][number],
	{ table, columns }: { table: SourceTable; columns: readonly VaultColumn[] },
): RowGroup {
	const cache = new Map<string, Promise<ArrayLike<unknown>>>()
	const values = (column: string) => {
		const known = cache.get(column) ?? file.read(column, range)
		cache.set(column, known)
		return known
	}
	const rows = range.end - range.start
	const texts: RowGroup['texts'] = async (at) => {
		const column = columns[at] as VaultColumn
		const native = await values(column.name)
		const isWhole = native.length === rows && !hasNull(native)
		const exact = isWhole ? [] : ((await values('_exact')) as ArrayLike<MapCell>)
		const { decode } = codecOf(column.type)
		return (row) => {
			const cell = native[row]
			return isNull(cell) ? textIn(exact[row], column.name) : decode(cell)
		}
	}
	return {
		...{ table, rows, plainBytes: range.plainBytes, values, texts },
		async plain(column, out) {
			return file.plain(column.name, range, out) ?? plainOf(await values(column.name), { ...column, rows }, out)
		},
		release() {
			for (const column of cache.keys()) if (column !== '_exact') cache.delete(column)
		},
	}
}

/** Puts values that were read as objects: another's file has them in another form. */
function plainOf(cells: ArrayLike<unknown>, { type, rows }: { type: DeltaType; rows: number }, out: Scratch): Plain {
	const { encode, decode } = codecOf(type)
	const builder = buildCells(rows)
	for (let row = 0; row < rows; row++) builder.push(isNull(cells[row]) ? null : decode(cells[row]))
	const texts = builder.finish()
	const from = out.used
	const { data, nullCount, exact } = encode(texts, 0, rows)
	if (exact.length > 0) throw new RangeError(`a value of type ${type} is not in the form that it has in a segment`)
	putPlain(out, data, { from: 0, to: rows, isFull: nullCount === 0 })
	return { present: texts.present, from, to: out.used, isShared: false }
}

/** A cell of the vault's own maps. */
export type MapCell = Record<string, string | null> | null | undefined

/** What a map has under a name of its own: every object has some that nobody put there. */
export function textIn(map: MapCell, name: string): string | null {
	return map && Object.hasOwn(map, name) ? (map[name] ?? null) : null
}

function hasNull(cells: ArrayLike<unknown>): boolean {
	for (let row = 0; row < cells.length; row++) if (isNull(cells[row])) return true
	return false
}

function isNull(cell: unknown): cell is null | undefined {
	return cell === null || cell === undefined
}

/** The given rows, which all are of one schema version, as changes; with `wanted`, without values in other columns. */
export async function changesOf(
	refs: readonly RowRef[],
	table: SourceTable,
	{ wanted }: { wanted?: ReadonlySet<number> | undefined } = {},
): Promise<ChangeRows> {
	const places = placesOf(refs)
	const gather = async <T>(column: string): Promise<T[]> => {
		const values = await Promise.all(places.groups.map((group) => group.values(column)))
		return refs.map(({ row }, at) => values[places.group[at] as number]?.[row] as T)
	}
	const columns: TextColumn[] = []
	for (let at = 0; at < table.columns.length; at++)
		columns.push(wanted && !wanted.has(at) ? cellsOf(new Array(refs.length).fill(null)) : await gatherTexts(places, at))
	return {
		table,
		count: refs.length,
		columns,
		op: Uint8Array.from(await gather<Uint8Array>('_op'), opReader()),
		position: BigUint64Array.from(await gather<bigint>('_position')),
		ordinal: Uint32Array.from(await gather<number>('_ordinal')),
		xid: Uint32Array.from(await gather<bigint>('_xid'), Number),
		committedAt: BigInt64Array.from(await gather<bigint>('_committed_at')),
		leaf: (await gather<Uint8Array | null | undefined>('_leaf')).map(leafReader()),
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

/** Reads cells of `_op`. */
function opReader(): (name: Uint8Array) => number {
	return unlessSame((name) => {
		const op = (changeOps as readonly string[]).indexOf(textOf(name))
		if (op < 0) throw new RangeError(`"${textOf(name)}" is not a kind of change`)
		return op
	})
}

/** Reads cells of `_leaf`. */
function leafReader(): (name: Uint8Array | null | undefined) => string | null {
	return unlessSame((name) => (name ? textOf(name) : null))
}

/** Rows that follow each other mostly share their cell: what was made of it is kept until another comes. */
function unlessSame<T, V>(read: (cell: T) => V): (cell: T) => V {
	let before: { cell: T; value: V } | undefined
	return (cell) => {
		if (before?.cell !== cell || !before) before = { cell, value: read(cell) }
		return before.value
	}
}

function textOf(bytes: Uint8Array): string {
	return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString()
}
