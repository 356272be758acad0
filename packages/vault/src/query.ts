import type { SourceTable } from '@reprieve/contracts'
import type { VaultColumn } from './columns.ts'
import type { SegmentFile } from './log/actions.ts'
import { cellsOf } from './segment/cells.ts'
import { comparePlaces, type Place, parseRange } from './segment/range.ts'
import type { Cell, RowGroup } from './segment/read.ts'
import { parseStatistics, type Statistics } from './segment/statistics.ts'
import { type Bounds, boundsOf, extremesOf } from './values/bounds.ts'
import type { DeltaType } from './values/codec.ts'
import { parseInstantJson } from './values/instant.ts'
import { codecOf } from './values/types.ts'
import type { ReadQuery } from './vault.ts'

type Key = Record<string, string | null>

type Source = { table: SourceTable; columns: readonly VaultColumn[] }

/** A cell in its native form; encoding one costs more than comparing it with a segment's bounds. */
type NativeCell = { bounds: Bounds | undefined; isExact: boolean }

/** Statistics of the segments that a log names, for as long as it does: parsing them costs more than a lookup does. */
const parsed = new WeakMap<SegmentFile, Statistics>()

/** Whether a segment can hold rows of the query, by its range and statistics alone; prepared once for many segments. */
export function segmentTest(query: ReadQuery): (file: SegmentFile, source: Source) => boolean {
	const cells = new Map<string, NativeCell>()
	const sorted = { ...query, changes: query.changes?.toSorted(comparePlaces) }
	const nativeOf = (type: DeltaType, text: string) => {
		const known = cells.get(`${type} ${text}`) ?? nativeCell(type, text)
		cells.set(`${type} ${text}`, known)
		return known
	}
	return (file, source) => mayMatch(sorted, file, { ...source, nativeOf })
}

function nativeCell(type: DeltaType, text: string): NativeCell {
	const { data, exact } = codecOf(type).encode(cellsOf([text]), 0, 1)
	const isExact = exact.length > 0
	return { bounds: boundsOf(data, extremesOf(data, { from: 0, to: 1, isFull: !isExact })), isExact }
}

type Prepared = Source & { nativeOf: (type: DeltaType, text: string) => NativeCell }

/** `query.changes` are sorted. */
function mayMatch(query: ReadQuery, file: SegmentFile, source: Prepared): boolean {
	const { first, final } = parseRange(file.range)
	const { from, to } = query.positions ?? {}
	if ((from !== undefined && final.position < from) || (to !== undefined && first.position > to)) return false
	if (query.after && !liesBehind(query, query.descending ? first : final)) return false
	const isInside = (position: bigint) => position >= first.position && position <= final.position
	if (query.transactions && !query.transactions.some(isInside)) return false
	if (query.changes && !hasBetween(query.changes, first, final)) return false
	const statistics = parsed.get(file) ?? parseStatistics(file.stats)
	parsed.set(file, statistics)
	if (!mayMatchTime(query, statistics)) return false
	return query.keys === undefined || query.keys.some((key) => mayMatchKey(key, statistics, source))
}

/** Whether one of the sorted places lies between two, both inclusive. */
function hasBetween(places: readonly Place[], first: Place, final: Place): boolean {
	let [low, high] = [0, places.length]
	while (low < high) {
		const middle = (low + high) >>> 1
		if (comparePlaces(places[middle] as Place, first) < 0) low = middle + 1
		else high = middle
	}
	const next = places[low]
	return next !== undefined && comparePlaces(next, final) <= 0
}

function mayMatchTime({ committed }: ReadQuery, { min, max }: Statistics): boolean {
	const [low, high] = [min.get('_committed_at'), max.get('_committed_at')]
	if (committed === undefined || low === undefined || high === undefined) return true
	const [earliest, newest] = [parseInstantJson(JSON.parse(low)), parseInstantJson(JSON.parse(high))]
	return (committed.from ?? newest) <= newest && (committed.to === undefined || earliest < committed.to)
}

function mayMatchKey(key: Key, statistics: Statistics, { table, columns, nativeOf }: Prepared): boolean {
	return Object.entries(key).every(([name, text]) => {
		const at = table.columns.findIndex((column) => column.name === name)
		return at >= 0 && mayMatchCell(text, statistics, { ...(columns[at] as VaultColumn), nativeOf })
	})
}

/** A value kept as text counts as a NULL in the statistics. */
function mayMatchCell(
	text: string | null,
	{ min, max, nulls }: Statistics,
	{ name, type, nativeOf }: VaultColumn & Pick<Prepared, 'nativeOf'>,
): boolean {
	const hasNulls = (nulls.get(name) ?? 1) > 0
	if (text === null) return hasNulls
	const { bounds, isExact } = nativeOf(type, text)
	if (isExact) return hasNulls
	const [low, high] = [min.get(name), max.get(name)]
	if (bounds === undefined || low === undefined || high === undefined) return true
	return compareBounds(type, low, bounds.max) <= 0 && compareBounds(type, bounds.min, high) <= 0
}

/** Order of two bounds given as JSON source text. */
function compareBounds(type: DeltaType, a: string, b: string): number {
	if (type === 'long' || type === 'integer' || type === 'short') return compare(BigInt(a), BigInt(b))
	if (type === 'float' || type === 'double') return compare(Number(a), Number(b))
	if (type.startsWith('decimal')) return compare(BigInt(a.replace('.', '')), BigInt(b.replace('.', '')))
	if (type === 'boolean') return compare(a, b)
	return Buffer.compare(Buffer.from(JSON.parse(a) as string), Buffer.from(JSON.parse(b) as string))
}

function compare<T extends string | number | bigint>(a: T, b: T): number {
	if (a === b) return 0
	return a < b ? -1 : 1
}

/** Picks the rows of one row group that match; prepared once for many groups. */
export type Selector = (group: RowGroup) => Promise<number[]>

/** The row test of a query. */
export function selectRows(query: ReadQuery): Selector {
	const isPlace = placeTest(query)
	const matchKeys = query.keys && keyTest(query.keys)
	return async (group) => {
		const position = (await group.values('_position')) as ArrayLike<bigint>
		const ordinal = (await group.values('_ordinal')) as ArrayLike<number>
		const committedAt = query.committed && ((await group.values('_committed_at')) as ArrayLike<bigint>)
		const rows: number[] = []
		for (let row = 0; row < group.rows; row++) {
			const isWanted = isPlace(position[row] as bigint, ordinal[row] as number)
			if (isWanted && (!committedAt || isDuring(query, committedAt[row] as bigint))) rows.push(row)
		}
		return matchKeys && rows.length > 0 ? await matchKeys(group, rows) : rows
	}
}

function placeTest(query: ReadQuery): (position: bigint, ordinal: number) => boolean {
	const transactions = query.transactions && new Set(query.transactions)
	const isChange = query.changes && changeTest(query.changes)
	const { from, to } = query.positions ?? {}
	return (position, ordinal) =>
		(from === undefined || position >= from) &&
		(to === undefined || position <= to) &&
		(transactions === undefined || transactions.has(position)) &&
		(isChange === undefined || isChange(position, ordinal)) &&
		(query.after === undefined || liesBehind(query, { position, ordinal }))
}

/** Rows of one transaction lie together, so its ordinals are looked up once. */
function changeTest(changes: readonly Place[]): (position: bigint, ordinal: number) => boolean {
	const ordinals = new Map<bigint, Set<number>>()
	for (const { position, ordinal } of changes) {
		const known = ordinals.get(position)
		if (known) known.add(ordinal)
		else ordinals.set(position, new Set([ordinal]))
	}
	let at: bigint | undefined
	let wanted: Set<number> | undefined
	return (position, ordinal) => {
		if (position !== at) {
			at = position
			wanted = ordinals.get(position)
		}
		return wanted?.has(ordinal) ?? false
	}
}

function liesBehind(query: ReadQuery, place: { position: bigint; ordinal: number }): boolean {
	if (!query.after) return true
	const order = comparePlaces(place, query.after)
	return query.descending ? order < 0 : order > 0
}

function isDuring({ committed }: ReadQuery, instant: bigint): boolean {
	if (committed?.from !== undefined && instant < committed.from) return false
	return committed?.to === undefined || instant < committed.to
}

/** Keys over the same columns are looked up together. */
function keyTest(keys: readonly Key[]): (group: RowGroup, rows: number[]) => Promise<number[]> {
	const byColumns = new Map<string, { names: string[]; wanted: Set<string> }>()
	for (const key of keys) {
		const names = Object.keys(key).sort()
		const id = JSON.stringify(names)
		const lookup = byColumns.get(id) ?? { names, wanted: new Set() }
		lookup.wanted.add(JSON.stringify(names.map((name) => key[name] ?? null)))
		byColumns.set(id, lookup)
	}
	return async (group, rows) => {
		const tests: ((row: number) => boolean)[] = []
		for (const lookup of byColumns.values()) tests.push(await lookupTest(lookup, group))
		return rows.filter((row) => tests.some((test) => test(row)))
	}
}

async function lookupTest(
	{ names, wanted }: { names: string[]; wanted: Set<string> },
	group: RowGroup,
): Promise<(row: number) => boolean> {
	const cells: ((row: number) => Cell)[] = []
	for (const name of names) {
		const at = group.table.columns.findIndex((column) => column.name === name)
		if (at < 0) return () => false
		cells.push(await group.texts(at))
	}
	return (row) => wanted.has(JSON.stringify(cells.map((cell) => textOf(cell(row)))))
}

function textOf(cell: Cell): string | null {
	if (cell === null || typeof cell === 'string') return cell
	return Buffer.from(cell.buffer, cell.byteOffset, cell.byteLength).toString()
}
