import type { ChangeRows, SourceTable, TextColumn } from '@reprieve/contracts'
import { buildCells, type CellBuilder, cellSorter } from './cells.ts'
import { leafReader, type MapCell, opReader, type RowGroup } from './read.ts'

/** Rows whose columns are gathered one by one, each when it is asked for. */
export type Gathered = Omit<ChangeRows, 'columns'> & {
	/** At least the first `rows` cells of a source column, by its place in `table.columns`; valid until the next call. */
	textsOf(column: number, rows: number): Promise<TextColumn>
}

/** Rows of one schema version, sorted by the vault columns named in their native order, then by place in the log. */
export async function gatherSorted(
	groups: readonly RowGroup[],
	{ table, sortedBy }: { table: SourceTable; sortedBy: readonly string[] },
): Promise<Gathered> {
	const order = await orderOf(groups, sortedBy)
	const [builder, sort] = [buildCells(order.length), cellSorter(order.length)]
	return {
		table,
		count: order.length,
		...(await gatherBookkeeping(groups, placesOf(order))),
		textsOf: async (column, rows) => {
			const wanted = order.subarray(0, rows)
			return sort(await textsOf(groups, column, { wanted, builder }), wanted)
		},
	}
}

/** Rows by their number in the order of the groups. */
async function orderOf(groups: readonly RowGroup[], sortedBy: readonly string[]): Promise<Uint32Array> {
	const count = groups.reduce((sum, { rows }) => sum + rows, 0)
	const keys: unknown[][] = []
	for (const name of sortedBy) {
		const key = new Array<unknown>(count)
		await readEach(groups, name, (value, row) => {
			key[row] = value
		})
		keys.push(key)
	}
	const position = new BigInt64Array(count)
	await readEach<bigint>(groups, '_position', (value, row) => {
		position[row] = value
	})
	const ordinal = new Int32Array(count)
	await readEach<number>(groups, '_ordinal', (value, row) => {
		ordinal[row] = value
	})
	const compare = (a: number, b: number) => {
		for (const key of keys) {
			const order = compareNative(key[a], key[b])
			if (order !== 0) return order
		}
		const [left, right] = [position[a] as bigint, position[b] as bigint]
		if (left !== right) return left < right ? -1 : 1
		return (ordinal[a] as number) - (ordinal[b] as number)
	}
	return Uint32Array.from(Array.from({ length: count }, (_, row) => row).sort(compare))
}

/** Order of two native cells, so that equal and near keys share a row group; NULL last. */
function compareNative(a: unknown, b: unknown): number {
	if (a === null || a === undefined) return b === null || b === undefined ? 0 : 1
	if (b === null || b === undefined) return -1
	if (a instanceof Uint8Array) return Buffer.compare(a, b as Uint8Array)
	const [left, right] = [a as number | bigint, b as number | bigint]
	if (left === right) return 0
	return left < right ? -1 : 1
}

/** The place of each row in an order. */
function placesOf(order: Uint32Array): Uint32Array {
	const places = new Uint32Array(order.length)
	for (let at = 0; at < order.length; at++) places[order[at] as number] = at
	return places
}

async function gatherBookkeeping(
	groups: readonly RowGroup[],
	places: Uint32Array,
): Promise<Omit<ChangeRows, 'table' | 'count' | 'columns'>> {
	const count = places.length
	const put = async <T, V>(column: string, values: { [at: number]: V }, readCell: (cell: T) => V) => {
		await readEach<T>(groups, column, (cell, row) => {
			values[places[row] as number] = readCell(cell)
		})
	}
	const rows = {
		op: new Uint8Array(count),
		position: new BigUint64Array(count),
		ordinal: new Uint32Array(count),
		xid: new Uint32Array(count),
		committedAt: new BigInt64Array(count),
		leaf: new Array<string | null>(count).fill(null),
		rewritten: new Array<ChangeRows['rewritten'][number]>(count).fill(null),
	}
	await put('_op', rows.op, opReader())
	await put('_position', rows.position, (lsn: bigint) => lsn)
	await put('_ordinal', rows.ordinal, (ordinal: number) => ordinal)
	await put('_xid', rows.xid, (xid: bigint) => Number(xid))
	await put('_committed_at', rows.committedAt, (micros: bigint) => micros)
	await put('_leaf', rows.leaf, leafReader())
	await put('_rewritten', rows.rewritten, (map: MapCell) => map ?? null)
	return rows
}

/** A source column in the order of the groups; of those without a wanted row there is nothing. Valid until the next. */
async function textsOf(
	groups: readonly RowGroup[],
	column: number,
	{ wanted, builder }: { wanted: Uint32Array; builder: CellBuilder },
): Promise<TextColumn> {
	const isWanted = new Uint8Array(groups.reduce((sum, { rows }) => sum + rows, 0))
	for (const row of wanted) isWanted[row] = 1
	builder.restart()
	let first = 0
	for (const group of groups) {
		if (isWanted.subarray(first, first + group.rows).includes(1)) await group.collect(column, builder)
		else builder.skip(group.rows)
		group.release()
		first += group.rows
	}
	return builder.finish()
}

/** Visits a column of the file, one group at a time. */
async function readEach<T>(
	groups: readonly RowGroup[],
	column: string,
	visit: (value: T, row: number) => void,
): Promise<void> {
	let at = 0
	for (const group of groups) {
		const values = await group.values(column)
		for (let row = 0; row < group.rows; row++) visit(values[row] as T, at++)
		group.release()
	}
}
