import { type ChangeOp, type ChangeRows, changeOps, type SourceTable } from '@reprieve/contracts'
import { malformed, nullLength, type Tuple } from '../pgoutput/messages.ts'
import { ColumnBuilder } from './column.ts'

/** What a row brings besides its values. */
export type RowOrigin = {
	op: ChangeOp
	position: bigint
	ordinal: number
	xid: number
	committedAt: bigint
	leaf: string | null
	rewritten: Record<string, string | null> | null
}

type Origins = Omit<ChangeRows, 'table' | 'columns' | 'count'>

/** Bytes that a row of so many columns takes besides its values, roughly. */
function overheadOf(columns: number): number {
	return 48 + columns * 5
}

/** Gathers {@link ChangeRows} of one schema version, row by row, as columns of bytes. */
export class RowsBuilder {
	readonly table: SourceTable
	readonly #columns: ColumnBuilder[]
	#origins: Origins
	#count: number
	#bytes: number

	/** Begins with a copy of `rows` of that table. */
	constructor(table: SourceTable, rows?: ChangeRows) {
		this.table = table
		this.#columns = table.columns.map((_, column) => new ColumnBuilder(rows?.columns[column]))
		this.#count = rows?.count ?? 0
		this.#origins = grow(rows ?? makeOrigins(0), Math.max(64, this.#count))
		this.#bytes = this.#count * overheadOf(this.#columns.length)
		for (const { length } of this.#columns) this.#bytes += length
	}

	get count(): number {
		return this.#count
	}

	/** Roughly the memory that the rows take. */
	get bytes(): number {
		return this.#bytes
	}

	/**
	 * Appends a row: `places[i]` is the place in the tuple of the table's column i, -1 for one that the stream does not
	 * carry. Answers the row's place.
	 */
	append(tuple: Tuple, places: Int16Array, origin: RowOrigin): number {
		if (this.#count === this.#origins.op.length) this.#origins = grow(this.#origins, this.#count * 2)
		const columns = this.#columns
		let bytes = overheadOf(places.length)
		for (let column = 0; column < places.length; column++) {
			const place = places[column] as number
			const length = place < 0 ? nullLength : (tuple.length[place] as number)
			if (length < nullLength) throw malformed(`the value of column ${column} was not sent with its old row`)
			columns[column]?.append(tuple.bytes, place < 0 ? 0 : (tuple.start[place] as number), length)
			if (length > 0) bytes += length
		}
		this.#setOrigin(origin)
		this.#bytes += bytes
		return this.#count++
	}

	/** Says what a row appended earlier turned out to be. */
	setOp(row: number, op: ChangeOp): void {
		this.#origins.op[row] = changeOps.indexOf(op)
	}

	/** Rows [from, to): views into the builder, valid as long as it is not appended to. */
	slice(from: number, to: number): ChangeRows {
		const { op, position, ordinal, xid, committedAt, leaf, rewritten } = this.#origins
		return {
			table: this.table,
			count: to - from,
			columns: this.#columns.map((column) => column.slice(from, to)),
			op: op.subarray(from, to),
			position: position.subarray(from, to),
			ordinal: ordinal.subarray(from, to),
			xid: xid.subarray(from, to),
			committedAt: committedAt.subarray(from, to),
			leaf: leaf.slice(from, to),
			rewritten: rewritten.slice(from, to),
		}
	}

	/** Forgets all rows and keeps the memory; earlier slices are overwritten by what comes. */
	reset(): void {
		for (const column of this.#columns) column.reset()
		this.#origins.leaf = []
		this.#origins.rewritten = []
		this.#count = 0
		this.#bytes = 0
	}

	#setOrigin(origin: RowOrigin): void {
		const row = this.#count
		const origins = this.#origins
		origins.op[row] = changeOps.indexOf(origin.op)
		origins.position[row] = origin.position
		origins.ordinal[row] = origin.ordinal
		origins.xid[row] = origin.xid
		origins.committedAt[row] = origin.committedAt
		origins.leaf.push(origin.leaf)
		origins.rewritten.push(origin.rewritten)
	}
}

function makeOrigins(capacity: number): Origins {
	return {
		op: new Uint8Array(capacity),
		position: new BigUint64Array(capacity),
		ordinal: new Uint32Array(capacity),
		xid: new Uint32Array(capacity),
		committedAt: new BigInt64Array(capacity),
		leaf: [],
		rewritten: [],
	}
}

function grow({ op, position, ordinal, xid, committedAt, leaf, rewritten }: Origins, capacity: number): Origins {
	const larger = makeOrigins(capacity)
	larger.op.set(op)
	larger.position.set(position)
	larger.ordinal.set(ordinal)
	larger.xid.set(xid)
	larger.committedAt.set(committedAt)
	return { ...larger, leaf: leaf.slice(), rewritten: rewritten.slice() }
}
