import { type ChangeRows, changeOps, type SourceTable, type TextColumn } from '@reprieve/contracts'
import type { VaultColumn } from '../columns.ts'
import type { DeltaType } from '../values/codec.ts'
import { codecOf } from '../values/types.ts'
import { buildCells, type CellBuilder, nullsOf } from './cells.ts'
import type { Plain } from './pages.ts'
import type { ParquetFile } from './parquet.ts'
import { putPlain } from './plain.ts'
import { Scratch } from './scratch.ts'

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
	/** Where they lie, for a column that the file keeps as text; undefined where it has them in another form. */
	spans(column: number): Spans | undefined
	/** The native values of a flat column of the file as Parquet's bytes, put behind what is written. */
	plain(column: { name: string; type: DeltaType }, out: Scratch): Promise<Plain>
	/** Forgets the values of every column but `_exact`, which others need too. */
	release(): void
}

/** Texts among bytes, by row; the end of a NULL is below 0. */
type Spans = { bytes: Uint8Array; starts: Int32Array; ends: Int32Array }

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
	const spread = new Map<number, Spans | undefined>()
	const spans: RowGroup['spans'] = (at) => {
		const column = columns[at] as VaultColumn
		if (column.type === 'string' && !spread.has(at)) spread.set(at, readSpans(file, range, column.name))
		return spread.get(at)
	}
	return {
		...{ table, rows, plainBytes: range.plainBytes, values, texts, spans },
		async plain(column, out) {
			return file.plain(column.name, range, out) ?? plainOf(await values(column.name), { ...column, rows }, out)
		},
		release() {
			for (const column of cache.keys()) if (column !== '_exact') cache.delete(column)
			spread.clear()
		},
	}
}

/** A text is its own native form: no row of such a column is kept in `_exact`. */
function readSpans(file: ParquetFile, range: ParquetFile['groups'][number], column: string): Spans | undefined {
	const rows = range.end - range.start
	const scratch = new Scratch(0)
	const plain = file.plain(column, range, scratch)
	if (!plain) return undefined
	const bytes = scratch.written
	const [starts, ends] = [new Int32Array(rows), new Int32Array(rows).fill(-1)]
	let at = plain.from
	for (let row = 0; row < rows; row++) {
		if (plain.present?.[row] === 0) continue
		const start = (plain.isShared ? plain.from : at) + 4
		at = start + bytes.readUInt32LE(start - 4)
		if (at > plain.to) throw new RangeError(`a text ends at byte ${at} of its page, the page at byte ${plain.to}`)
		starts[row] = start
		ends[row] = at
	}
	return { bytes, starts, ends }
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
	if (ArrayBuffer.isView(cells)) return false
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
	const gather = <T>(column: string, put: (cell: T, at: number) => void) => gatherEach(places, column, put)
	const count = refs.length
	const unread = nullsOf(count)
	const columns: TextColumn[] = []
	for (let at = 0; at < table.columns.length; at++)
		columns.push(wanted && !wanted.has(at) ? unread : await gatherTexts(places, at))
	const op = new Uint8Array(count)
	const [position, committedAt] = [new BigUint64Array(count), new BigInt64Array(count)]
	const [ordinal, xid] = [new Uint32Array(count), new Uint32Array(count)]
	const leaf = new Array<string | null>(count)
	const rewritten = new Array<Record<string, string | null> | null>(count)
	const [opOf, leafOf] = [opReader(), leafReader()]
	await gather<Uint8Array>('_op', (name, at) => {
		op[at] = opOf(name)
	})
	await gather<bigint>('_position', (value, at) => {
		position[at] = value
	})
	await gather<number>('_ordinal', (value, at) => {
		ordinal[at] = value
	})
	await gather<bigint>('_xid', (value, at) => {
		xid[at] = Number(value)
	})
	await gather<bigint>('_committed_at', (value, at) => {
		committedAt[at] = value
	})
	await gather<Uint8Array | null | undefined>('_leaf', (name, at) => {
		leaf[at] = leafOf(name)
	})
	await gather<MapCell>('_rewritten', (map, at) => {
		rewritten[at] = map ?? null
	})
	return { table, count, columns, op, position, ordinal, xid, committedAt, leaf, rewritten }
}

async function gatherEach<T>(
	{ groups, group, row }: Places,
	column: string,
	put: (cell: T, at: number) => void,
): Promise<void> {
	const values = await Promise.all(groups.map((each) => each.values(column)))
	for (let at = 0; at < row.length; at++) put(values[group[at] as number]?.[row[at] as number] as T, at)
}

/** Rows by the number of their row group and their place in it: nothing is looked up for a cell. */
type Places = { groups: RowGroup[]; group: Uint32Array; row: Uint32Array }

function placesOf(refs: readonly RowRef[]): Places {
	const groups = [...new Set(refs.map((ref) => ref.group))]
	const numbers = new Map(groups.map((group, number) => [group, number]))
	const [group, row] = [new Uint32Array(refs.length), new Uint32Array(refs.length)]
	for (let at = 0; at < refs.length; at++) {
		const ref = refs[at] as RowRef
		group[at] = numbers.get(ref.group) as number
		row[at] = ref.row
	}
	return { groups, group, row }
}

async function gatherTexts({ groups, group, row }: Places, column: number): Promise<TextColumn> {
	const spans = groups.map((each) => each.spans(column))
	const texts = await Promise.all(groups.map((each, i) => (spans[i] ? undefined : each.texts(column))))
	const builder = buildCells(row.length, sizeOf(spans, { group, row }))
	for (let at = 0; at < row.length; at++) {
		const [number, own] = [group[at] as number, row[at] as number]
		const found = spans[number]
		if (found) pushSpan(builder, found, own)
		else builder.push((texts[number] as (row: number) => Cell)(own))
	}
	return builder.finish()
}

/** Bytes of the cells; undefined where some of them are not there yet. */
function sizeOf(
	spans: readonly (Spans | undefined)[],
	{ group, row }: Pick<Places, 'group' | 'row'>,
): number | undefined {
	let size = 0
	for (let at = 0; at < row.length; at++) {
		const [found, own] = [spans[group[at] as number], row[at] as number]
		if (!found) return undefined
		size += Math.max(0, (found.ends[own] as number) - (found.starts[own] as number))
	}
	return size
}

function pushSpan(builder: CellBuilder, { bytes, starts, ends }: Spans, row: number): void {
	const end = ends[row] as number
	if (end < 0) builder.push(null)
	else builder.copy(bytes, starts[row] as number, end)
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
