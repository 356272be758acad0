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

/** Bytes that a row takes besides its values, roughly. */
const rowOverhead = 48

/** Gathers {@link ChangeRows} of one schema version, row by row, as columns of bytes. */
export class RowsBuilder {
	readonly table: SourceTable
	#columns: ColumnBuilder[]
	#origins: Omit<ChangeRows, 'table' | 'columns' | 'count'> = makeOrigins(64)
	#count = 0
	#bytes = 0

	constructor(table: SourceTable) {
		this.table = table
		this.#columns = table.columns.map(() => new ColumnBuilder())
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
		if (this.#count === this.#origins.op.length) this.#origins = grow(this.#origins, this.#count)
		let bytes = rowOverhead + places.length * 5
		for (let column = 0; column < places.length; column++) {
			const place = places[column] as number
			const length = place < 0 ? nullLength : (tuple.length[place] as number)
			if (length < nullLength) throw malformed(`the value of column ${column} was not sent with its old row`)
			this.#columns[column]?.append(tuple.bytes, place < 0 ? 0 : (tuple.start[place] as number), length)
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

/** Copies rows into a new builder, so that the old one's memory can go. */
export function rebuild(rows: ChangeRows): RowsBuilder {
	const builder = new RowsBuilder(rows.table)
	const places = Int16Array.from(rows.columns.keys())
	const width = rows.columns.length
	const tuple: Tuple = {
		bytes: joined(rows),
		count: width,
		start: new Int32Array(width),
		length: new Int32Array(width),
	}
	for (let row = 0; row < rows.count; row++) {
		let base = 0
		for (const [column, { bytes, offsets, present }] of rows.columns.entries()) {
			const start = offsets[row] as number
			tuple.start[column] = base + start
			tuple.length[column] = present[row] === 1 ? (offsets[row + 1] as number) - start : -1
			base += bytes.length
		}
		builder.append(tuple, places, originOf(rows, row))
	}
	return builder
}

function originOf(rows: ChangeRows, row: number): RowOrigin {
	return {
		op: changeOps[rows.op[row] as number] ?? 'delete',
		position: rows.position[row] as bigint,
		ordinal: rows.ordinal[row] as number,
		xid: rows.xid[row] as number,
		committedAt: rows.committedAt[row] as bigint,
		leaf: rows.leaf[row] ?? null,
		rewritten: rows.rewritten[row] ?? null,
	}
}

function joined(rows: ChangeRows): Uint8Array {
	return Buffer.concat(rows.columns.map((column) => column.bytes))
}

function makeOrigins(capacity: number): Omit<ChangeRows, 'table' | 'columns' | 'count'> {
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

function grow(origins: Omit<ChangeRows, 'table' | 'columns' | 'count'>, count: number): typeof origins {
	const larger = makeOrigins(count * 2)
	larger.op.set(origins.op)
	larger.position.set(origins.position)
	larger.ordinal.set(origins.ordinal)
	larger.xid.set(origins.xid)
	larger.committedAt.set(origins.committedAt)
	return { ...larger, leaf: origins.leaf, rewritten: origins.rewritten }
}
