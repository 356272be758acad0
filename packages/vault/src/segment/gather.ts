import type { SourceTable, TextColumn } from '@reprieve/contracts'
import { bookkeeping, keyColumns, type VaultColumn } from '../columns.ts'
import type { DeltaType, Encoded } from '../values/codec.ts'
import { cellAt, isBitSet, type NativeMaps, type NativeValues } from '../values/native.ts'
import { codecOf } from '../values/types.ts'
import { buildCells } from './cells.ts'
import { encodeMaps } from './encode.ts'
import { orderRows } from './order.ts'
import type { Range } from './range.ts'
import { type MapCell, type RowGroup, textIn } from './read.ts'
import { Room } from './room.ts'
import { Scratch } from './scratch.ts'
import { type Memory, takerOf } from './take.ts'

type Column = { name: string; type: DeltaType | 'map' }

/** Rows in an order, whose columns are gathered one by one, each when it is asked for. */
export type Gathered = {
	count: number
	/** Those of the file, in its order. */
	columns: readonly Column[]
	/** A column in native form; valid until the next call. */
	gather(column: Column): Promise<Encoded<NativeValues | NativeMaps>>
}

/** Rows of some row groups. */
export type Sorted = Gathered & {
	table: SourceTable
	range: Range
	/** About so many of the first rows that a few of the groups have. */
	sample(rows: number): Gathered
	/** The texts of the key's columns. */
	keyTexts(): Promise<TextColumn[]>
}

/** A row group and the places of its rows in the order; `least` of them. */
type Placed = { group: RowGroup; places: Uint32Array; least: number }

/** What is gathered into it is overwritten by the next column. */
export function freshMemory(): Memory {
	return { pages: new Scratch(), room: new Room() }
}

/** Rows of one schema version, sorted by its key in native order, then by place in the log. Columns lie in `memory`. */
export async function gatherSorted(
	groups: readonly RowGroup[],
	{ table, columns }: { table: SourceTable; columns: readonly VaultColumn[] },
	memory: Memory,
): Promise<Sorted> {
	const count = groups.reduce((sum, { rows }) => sum + rows, 0)
	const key = keyColumns(table).map((at) => columns[at] as VaultColumn)
	const order = await orderOf(groups, key, count)
	const placed = placeGroups(groups, order.rows)
	const all = [...bookkeeping, ...columns]
	const gathered = (from: readonly Placed[], rows: number): Gathered => ({
		...{ count: rows, columns: all },
		async gather({ name, type }) {
			if (type !== 'map') return await gatherValues(from, { name, type }, { rows, memory })
			const maps = await gatherMaps(from, name, rows)
			return encodeMaps(rows, (row) => maps[row] ?? null)
		},
	})
	const sample: Sorted['sample'] = (rows) => {
		const few = placeSample(placed, { count, rows })
		return gathered(few.placed, few.rows)
	}
	const keyTexts = async () => {
		const exact = await gatherMaps(placed, '_exact', count)
		const texts: TextColumn[] = []
		for (const { name, type } of key) {
			const { data } = await gatherValues(placed, { name, type }, { rows: count, memory })
			texts.push(textsOf(data, (row) => textIn(exact[row], name), count))
		}
		return texts
	}
	return { ...gathered(placed, count), table, range: order.range, sample, keyTexts }
}

/** The rows in order by their number in that of the groups, and the places in the log that they span. */
async function orderOf(
	groups: readonly RowGroup[],
	key: readonly VaultColumn[],
	count: number,
): Promise<{ rows: Uint32Array; range: Range }> {
	const asTheyLie = placeGroups(
		groups,
		new Uint32Array(count).map((_, row) => row),
	)
	const columns: NativeValues[] = []
	for (const column of [...key, { name: '_position', type: 'long' }, { name: '_ordinal', type: 'integer' }] as const)
		columns.push((await gatherValues(asTheyLie, column, { rows: count, memory: freshMemory() })).data)
	const rows = orderRows(columns as [NativeValues, ...NativeValues[]], count)
	return { rows, range: rangeOfRows(columns.slice(-2), rows) }
}

/** The places in the log that rows in an order span, given positions and ordinals. */
function rangeOfRows(places: readonly NativeValues[], order: Uint32Array): Range {
	const compare = comparisonOfPlaces(places)
	let isOrdered = true
	for (let at = 1; at < order.length && isOrdered; at++)
		isOrdered = compare(order[at] as number, order[at - 1] as number) >= 0
	let [first, final] = [0, 0]
	for (let row = 1; row < order.length; row++) {
		if (compare(row, first) < 0) first = row
		else if (compare(row, final) > 0) final = row
	}
	const placeOf = (row: number) => {
		const [position, ordinal] = places.map((data) => cellAt(data, row)) as [bigint, number]
		return { position, ordinal: ordinal >>> 0 }
	}
	return { first: placeOf(first), final: placeOf(final), isOrdered }
}

/** Of what is never NULL; every row is compared twice. */
function comparisonOfPlaces(places: readonly NativeValues[]): (a: number, b: number) => number {
	const [positions, ordinals] = places.map(({ values }) => values) as [BigInt64Array, Int32Array]
	const words = new Int32Array(positions.buffer, positions.byteOffset)
	return (a, b) => {
		const high = (words[a * 2 + 1] as number) - (words[b * 2 + 1] as number)
		if (high !== 0) return high
		const low = ((words[a * 2] as number) >>> 0) - ((words[b * 2] as number) >>> 0)
		return low !== 0 ? low : (ordinals[a] as number) - (ordinals[b] as number)
	}
}

function placeGroups(groups: readonly RowGroup[], order: Uint32Array): Placed[] {
	const places = new Uint32Array(order.length)
	for (let at = 0; at < order.length; at++) places[order[at] as number] = at
	let first = 0
	return groups.map((group) => {
		const own = places.subarray(first, first + group.rows)
		first += group.rows
		return { group, places: own, least: own.reduce((least, place) => Math.min(least, place), order.length) }
	})
}

/** Groups of a sample at least, so that it has rows of more than one transaction. */
const sampledGroups = 4

/**
 * The first rows of a few groups from end to end, at new places: to read a column of every group twice would cost more than it
 * tells.
 */
function placeSample(
	placed: readonly Placed[],
	{ count, rows }: { count: number; rows: number },
): { placed: Placed[]; rows: number } {
	const wanted = Math.max(sampledGroups, Math.ceil((rows * sampledGroups * placed.length) / count))
	const few = placed.filter(holdsOneOf(count / wanted))
	const all = new Uint32Array(few.reduce((sum, { places }) => sum + places.length, 0))
	let end = 0
	for (const { places } of few) {
		all.set(places, end)
		end += places.length
	}
	const first = all.sort().subarray(0, rows)
	const rank = new Uint32Array(count).fill(count)
	for (let at = 0; at < first.length; at++) rank[first[at] as number] = at
	return {
		placed: few.map(({ group, places, least }) => ({
			...{ group, places: places.map((place) => rank[place] as number) },
			least: rank[least] as number,
		})),
		rows: first.length,
	}
}

/** Whether a group holds one of the rows that lie so far apart: a large one counts for more than a small one. */
function holdsOneOf(apart: number): (placed: Placed) => boolean {
	let [end, next] = [0, 0]
	return ({ group }) => {
		end += group.rows
		const holds = next < end
		while (next < end) next += apart
		return holds
	}
}

async function gatherValues(
	placed: readonly Placed[],
	{ name, type }: { name: string; type: DeltaType },
	{ rows, memory }: { rows: number; memory: Memory },
): Promise<Encoded> {
	const { pages, room } = memory
	pages.reset()
	room.reset()
	const taker = takerOf(type, rows, memory)
	for (const { group, places, least } of placed) {
		if (least >= rows) continue
		if (!taker.staysInPages) pages.reset()
		taker.take(await group.plain({ name, type }, pages), places)
		group.release()
	}
	return taker.finish()
}

/** Maps by place; those that are not there are NULL. */
async function gatherMaps(
	placed: readonly Placed[],
	name: string,
	rows: number,
): Promise<Record<number, NonNullable<MapCell>>> {
	const maps: Record<number, NonNullable<MapCell>> = {}
	for (const { group, places, least } of placed) {
		if (least >= rows) continue
		const values = (await group.values(name)) as ArrayLike<MapCell>
		for (let row = 0; row < values.length; row++) {
			const map = values[row]
			if (map) maps[places[row] as number] = map
		}
		group.release()
	}
	return maps
}

function textsOf(data: NativeValues, exactOf: (row: number) => string | null, rows: number): TextColumn {
	const textOf = textReader(data)
	const builder = buildCells(rows)
	for (let row = 0; row < rows; row++) builder.push(isBitSet(data.nullBitmap, row) ? textOf(row) : exactOf(row))
	return builder.finish()
}

/** The text of a row that has a value, or the number whose digits it is. */
function textReader(data: NativeValues): (row: number) => string | Uint8Array | number {
	const { type, values } = data
	const { decode } = codecOf(type)
	if (values instanceof Int32Array && type !== 'date') return (row) => values[row] as number
	if (type !== 'long') return (row) => decode(cellAt(data, row))
	const words = new Int32Array(values.buffer, values.byteOffset)
	return (row) => {
		const high = words[row * 2 + 1] as number
		const isSafe = high < 2 ** 21 && high >= -(2 ** 21)
		return isSafe ? high * 2 ** 32 + ((words[row * 2] as number) >>> 0) : decode(values[row])
	}
}
