import {
	encodeFrame,
	type FrameHeader,
	type FrameShare,
	frameTopic,
	type Place,
	placeOf,
	type SentTransaction,
	splitRows,
	transactionsTopic,
} from '@reprieve/cdc'
import { type ChangeRows, formatTableName } from '@reprieve/contracts'
import { inOrder, sliceRows, withoutRows } from './order.ts'

/** A frame's records for one partition, in order. */
export type EncodedFrame = { topic: string; partition: number; records: Uint8Array[] }

export type WriterOptions = Pick<FrameHeader, 'database' | 'lineage' | 'epoch' | 'session'> & {
	prefix: string
	/** Of each table's topic. */
	partitions: number
	/** HMAC key of the frames. */
	key: Uint8Array
	/** Most bytes of one record. */
	maxRecordBytes: number
	/** The slot's confirmed position: everything at or behind it is sent by this session. */
	start: bigint
}

type RowsOptions = {
	isUrgent: boolean
	/** All of these rows' transactions have committed, and no more of their rows come. */
	isSettled: boolean
}

/** Value bytes of a frame, about: the broker's cost is by the record, the reader's memory by the frame. */
const frameBytes = 768 * 1024

/** What a row costs beside its values. */
const rowOverhead = 48

/** Transactions of one frame at most. */
const transactionsAtOnce = 500

const finalOrdinal = 0xffff_ffff

/** Rows of a partition whose transaction is not said to be whole there yet. */
type Unfinished = { rows: ChangeRows; position: bigint }

/**
 * Makes the frames of one session of capture: each names what went to its partition before. What was encoded must be
 * sent in the order in which it was encoded, whole, or the session ends.
 */
export class FrameWriter {
	readonly #options: WriterOptions
	/** By partition: place of what was encoded for it last. */
	readonly #places = new Map<string, Place>()
	readonly #unfinished = new Map<string, Unfinished>()
	/** By commit position, then partition. */
	readonly #shares = new Map<bigint, Map<string, FrameShare>>()

	constructor(options: WriterOptions) {
		this.#options = options
	}

	/** Frames of rows of one table, each version in the order of their places. */
	*rows(versions: readonly ChangeRows[], options: RowsOptions): Generator<EncodedFrame> {
		const lanes = new Map<number, ChangeRows[]>()
		for (const run of inOrder(versions)) {
			for (const { partition, rows } of splitRows(run, this.#options.partitions)) {
				const lane = lanes.get(partition)
				if (lane) lane.push(rows)
				else lanes.set(partition, [rows])
			}
		}
		for (const [partition, pieces] of lanes) yield* this.#partition(partition, pieces.flatMap(cut), options)
	}

	/** Says of every partition that was left in the middle of a transaction that it has all of it. */
	*complete(isUrgent: boolean): Generator<EncodedFrame> {
		for (const key of [...this.#unfinished.keys()]) yield this.#finish(key, isUrgent)
	}

	/** Which partitions hold how much of a transaction; forgotten thereby. */
	takeShares(position: bigint): FrameShare[] {
		const shares = [...(this.#shares.get(position)?.values() ?? [])]
		this.#shares.delete(position)
		return shares
	}

	/** Frames of the topic of transactions; sent once every frame of rows before is acknowledged. */
	*transactions(
		sent: readonly SentTransaction[],
		{ received, isFinal }: { received: bigint; isFinal: boolean },
	): Generator<EncodedFrame> {
		const topic = transactionsTopic(this.#options.prefix)
		for (let from = 0; from === 0 || from < sent.length; from += transactionsAtOnce) {
			const transactions = sent.slice(from, from + transactionsAtOnce)
			const isLast = from + transactionsAtOnce >= sent.length
			const until = isLast ? received : (transactions.at(-1)?.end ?? received)
			const header = this.#header(
				topic,
				0,
				transactions.some((one) => one.isUrgent),
			)
			this.#places.set(`${topic}:0`, { position: until - 1n, ordinal: finalOrdinal })
			yield this.#encode({ kind: 'transactions', header, transactions, received: until, isFinal: isFinal && isLast })
		}
	}

	*#partition(partition: number, chunks: ChangeRows[], options: RowsOptions): Generator<EncodedFrame> {
		for (const [at, rows] of chunks.entries()) {
			const topic = frameTopic(this.#options.prefix, rows.table)
			const key = `${topic}:${partition}`
			const position = rows.position[rows.count - 1] as bigint
			const before = this.#unfinished.get(key)
			if (before && before.position !== rows.position[0]) yield this.#finish(key, options.isUrgent)
			const next = chunks[at + 1]
			const isComplete = next ? next.position[0] !== position : options.isSettled
			const header = this.#header(topic, partition, options.isUrgent)
			this.#places.set(key, placeOf(rows, rows.count - 1))
			this.#count(key, { rows, topic, partition })
			if (isComplete) this.#unfinished.delete(key)
			else this.#unfinished.set(key, { rows: withoutRows(rows), position })
			yield this.#encode({ kind: 'rows', header, rows, isComplete })
		}
	}

	#finish(key: string, isUrgent: boolean): EncodedFrame {
		const { rows } = this.#unfinished.get(key) as Unfinished
		const cut = key.lastIndexOf(':')
		const header = this.#header(key.slice(0, cut), Number(key.slice(cut + 1)), isUrgent)
		this.#unfinished.delete(key)
		return this.#encode({ kind: 'rows', header, rows, isComplete: true })
	}

	#header(topic: string, partition: number, isUrgent: boolean): FrameHeader {
		const { database, lineage, epoch, session, start } = this.#options
		const predecessor = this.#places.get(`${topic}:${partition}`) ?? { position: start - 1n, ordinal: finalOrdinal }
		return { database, lineage, epoch, session, topic, partition, predecessor, isUrgent }
	}

	#count(key: string, { rows, topic, partition }: { rows: ChangeRows; topic: string; partition: number }): void {
		const table = formatTableName(rows.table)
		for (let from = 0; from < rows.count; ) {
			const position = rows.position[from] as bigint
			let to = from + 1
			while (to < rows.count && rows.position[to] === position) to++
			const shares = this.#shares.get(position) ?? new Map<string, FrameShare>()
			this.#shares.set(position, shares)
			const before = shares.get(key)?.rows ?? 0
			shares.set(key, { table, topic, partition, rows: before + to - from, final: placeOf(rows, to - 1) })
			from = to
		}
	}

	#encode(frame: Parameters<typeof encodeFrame>[0]): EncodedFrame {
		const { key, maxRecordBytes } = this.#options
		const { topic, partition } = frame.header
		return { topic, partition, records: encodeFrame(frame, { key, maxRecordBytes }) }
	}
}

/** Pieces of about a frame's size, by the mean size of a row. */
function cut(rows: ChangeRows): ChangeRows[] {
	const bytes = rows.columns.reduce(
		(sum, { offsets }) => sum + (offsets[rows.count] as number) - (offsets[0] as number),
		rows.count * rowOverhead,
	)
	const each = Math.max(1, Math.floor((rows.count * frameBytes) / Math.max(1, bytes)))
	if (each >= rows.count) return [rows]
	const pieces: ChangeRows[] = []
	for (let from = 0; from < rows.count; from += each)
		pieces.push(sliceRows(rows, from, Math.min(rows.count, from + each)))
	return pieces
}
