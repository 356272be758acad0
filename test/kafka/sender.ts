import { randomUUID } from 'node:crypto'
import {
	encodeFrame,
	type Frame,
	type FrameHeader,
	type FrameShare,
	frameTopic,
	type Place,
	type SentTransaction,
	splitRows,
	transactionsTopic,
} from '@reprieve/cdc'
import type { ArchivedTransaction, ChangeRows, SourceTable, TextColumn } from '@reprieve/contracts'
import { CompressionTypes, type Kafka } from 'kafkajs'

export type SenderOptions = {
	kafka: Kafka
	key: Uint8Array
	database: string
	lineage: string
	prefix: string
	epoch?: number
	partitions?: number
	/** Most bytes of a record (900,000). */
	maxRecordBytes?: number
	/** Zstandard where absent. */
	compression?: CompressionTypes
}

/** A record on its way, and the frame that it is a part of. */
export type Outgoing = { topic: string; partition: number; value: Uint8Array; frame: Frame }

/** What a transaction deleted: ids by table of `public`. */
export type Deleted = Record<string, number[]>

export type SendOptions = {
	/** Sends fewer records, others, or in another order than capture does. */
	records?: (records: Outgoing[]) => Outgoing[]
	/** Sends what `records` made of the transactions frame's records. */
	receipts?: (records: Outgoing[]) => Outgoing[]
	isUrgent?: boolean
	barriers?: string[]
	/** Bytes of each row's note (20). */
	noteBytes?: number
	/** Rows of a frame (1,000). */
	frameRows?: number
	/** A transaction that was sent before, again. */
	again?: Past
}

export type Past = {
	position: bigint
	end: bigint
	xid: number
	committedAt: bigint
	deleted: Deleted
	noteBytes: number
}

const endOrdinal = 0xffffffff

/** Capture's side of the topics, without a database: sends rows of transactions that never were. */
export class Sender {
	readonly past: Past[] = []
	readonly #options: Required<SenderOptions>
	readonly #producer: ReturnType<Kafka['producer']>
	#session = randomUUID()
	#start: Place = { position: -1n, ordinal: endOrdinal }
	#chains = new Map<string, Place>()
	#position: bigint
	#xid = 700

	/** `position` is where its first session starts. */
	constructor(options: SenderOptions, position: bigint) {
		this.#options = { epoch: 1, partitions: 1, maxRecordBytes: 900_000, compression: CompressionTypes.ZSTD, ...options }
		this.#position = position
		this.#producer = options.kafka.producer({ allowAutoTopicCreation: false })
		this.begin(position)
	}

	get session(): string {
		return this.#session
	}

	/** Where the next transaction will stand, at the earliest. */
	get position(): bigint {
		return this.#position
	}

	topicOf(table: string): string {
		return frameTopic(this.#options.prefix, { schema: 'public', name: table })
	}

	get transactionsTopic(): string {
		return transactionsTopic(this.#options.prefix)
	}

	/** Makes the topics of tables, and that of transactions. */
	async makeTopics(tables: string[], settings: Record<string, string> = {}): Promise<void> {
		const { kafka, partitions } = this.#options
		const configEntries = Object.entries(settings).map(([name, value]) => ({ name, value }))
		const admin = kafka.admin()
		await admin.connect()
		const topics = [
			...tables.map((table) => ({ topic: this.topicOf(table), numPartitions: partitions, configEntries })),
			{ topic: this.transactionsTopic, numPartitions: 1 },
		]
		// KafkaJS gives up where a broker does not know the topic yet.
		await admin.createTopics({
			waitForLeaders: false,
			topics: topics.map((topic) => ({ replicationFactor: 1, ...topic })),
		})
		await admin.disconnect()
	}

	/** Begins a session as a capture does that starts with the slot at `start`. */
	begin(start: bigint): void {
		this.#session = randomUUID()
		this.#start = { position: start - 1n, ordinal: endOrdinal }
		this.#chains = new Map()
	}

	/** One transaction: its rows, then the transaction. */
	async transaction(deleted: Deleted, options: SendOptions = {}): Promise<SentTransaction> {
		const past = options.again ?? this.#next(deleted, options.noteBytes ?? 20)
		if (!options.again) this.past.push(past)
		const frames = Object.entries(past.deleted).flatMap(([table, ids]) => this.#frames(past, { table, ids }, options))
		const records = frames.flatMap((frame) => this.#encode(frame))
		await this.send(options.records?.(records) ?? records)
		const sent = sentOf(past, frames, options)
		const receipts = this.#encode(this.#transactionsFrame([sent], past.end, options))
		await this.send(options.receipts?.(receipts) ?? receipts)
		return sent
	}

	/** Records of a transaction that is not sent: what comes next does not follow it. */
	draft(deleted: Deleted): Outgoing[] {
		const [chains, position] = [new Map(this.#chains), this.#position]
		const frames = Object.entries(deleted).flatMap(([table, ids]) =>
			this.#frames(this.#next(deleted, 20), { table, ids }, {}),
		)
		const records = frames.flatMap((frame) => this.#encode(frame))
		this.#chains = chains
		this.#position = position
		return records
	}

	/** A new session that sends everything from `start` on again. */
	async resend(start: bigint): Promise<void> {
		this.begin(start)
		for (const again of this.past.filter(({ position }) => position >= start)) {
			await this.transaction(again.deleted, { again })
		}
	}

	/** Says that everything before a position was received; the epoch's last word when `isFinal`. */
	async received(position: bigint, isFinal = false): Promise<void> {
		this.#position = position > this.#position ? position : this.#position
		await this.send(this.#encode(this.#transactionsFrame([], position, { isFinal })))
	}

	async send(records: Outgoing[]): Promise<void> {
		await this.#producer.connect()
		const { compression } = this.#options
		for (const { topic, partition, value } of records) {
			const messages = [{ partition, value: Buffer.from(value) }]
			await this.#producer.send({ topic, messages, acks: -1, compression })
		}
	}

	async close(): Promise<void> {
		await this.#producer.disconnect()
	}

	#next(deleted: Deleted, noteBytes: number): Past {
		const position = this.#position + 100n
		this.#position = position + 50n
		const committedAt = 1_800_000_000_000_000n + position
		return { position, end: position + 50n, xid: this.#xid++, committedAt, deleted, noteBytes }
	}

	#frames(past: Past, { table, ids }: { table: string; ids: number[] }, options: SendOptions): Frame[] {
		const ordinals = Object.keys(past.deleted).indexOf(table) * 1_000_000
		const rows = rowsOf(past, { table, ids, ordinals })
		const topic = this.topicOf(table)
		return splitRows(rows, this.#options.partitions).flatMap((placed) => {
			const { frameRows = 1_000, isUrgent = false } = options
			const spans = Array.from({ length: Math.ceil(placed.rows.count / frameRows) }, (_, at) => at * frameRows)
			return spans.map((from): Frame => {
				const to = Math.min(from + frameRows, placed.rows.count)
				const part = cut(placed.rows, from, to)
				const final = { position: past.position, ordinal: part.ordinal[part.count - 1] as number }
				const header = this.#header({ topic, partition: placed.partition, isUrgent }, final)
				return { kind: 'rows', header, rows: part, isComplete: to === placed.rows.count }
			})
		})
	}

	#transactionsFrame(
		transactions: SentTransaction[],
		received: bigint,
		{ isUrgent = false, isFinal = false }: { isUrgent?: boolean; isFinal?: boolean },
	): Frame {
		const final = { position: received - 1n, ordinal: endOrdinal }
		const header = this.#header({ topic: this.transactionsTopic, partition: 0, isUrgent }, final)
		return { kind: 'transactions', header, transactions, received, isFinal }
	}

	#header(lane: Pick<FrameHeader, 'topic' | 'partition' | 'isUrgent'>, final: Place): FrameHeader {
		const { database, lineage, epoch } = this.#options
		const key = `${lane.topic}:${lane.partition}`
		const predecessor = this.#chains.get(key) ?? this.#start
		this.#chains.set(key, final)
		return { database, lineage, epoch, session: this.#session, ...lane, predecessor }
	}

	#encode(frame: Frame): Outgoing[] {
		const { key, maxRecordBytes } = this.#options
		const { topic, partition } = frame.header
		return encodeFrame(frame, { key, maxRecordBytes }).map((value) => ({ topic, partition, value, frame }))
	}
}

function sentOf(past: Past, frames: Frame[], { isUrgent = false, barriers = [] }: SendOptions): SentTransaction {
	const { position, end, xid, committedAt, deleted } = past
	const shares = new Map<string, FrameShare>()
	for (const frame of frames) {
		if (frame.kind !== 'rows') continue
		const { topic, partition } = frame.header
		const final = { position, ordinal: frame.rows.ordinal[frame.rows.count - 1] as number }
		const rows = (shares.get(`${topic}:${partition}`)?.rows ?? 0) + frame.rows.count
		shares.set(`${topic}:${partition}`, { table: frame.rows.table.name, topic, partition, rows, final })
	}
	const counts = Object.entries(deleted).map(([table, ids]) => [table, { deleted: ids.length, relinked: 0 }])
	const archived: ArchivedTransaction = {
		...{ position: { timeline: 1, lsn: position }, end, xid, committedAt, barriers },
		rows: Object.fromEntries(counts),
	}
	return { archived, position, end, xid, committedAt, isUrgent, incidents: [], gaps: [], shares: [...shares.values()] }
}

function rowsOf(past: Past, { table, ids, ordinals }: { table: string; ids: number[]; ordinals: number }): ChangeRows {
	const count = ids.length
	return {
		table: tableOf(table),
		count,
		columns: [columnOf(ids.map(String)), columnOf(ids.map((id) => noteOf(id, past.noteBytes)))],
		op: new Uint8Array(count),
		position: new BigUint64Array(count).fill(past.position),
		ordinal: Uint32Array.from(ids, (_, at) => ordinals + at),
		xid: new Uint32Array(count).fill(past.xid),
		committedAt: new BigInt64Array(count).fill(past.committedAt),
		leaf: ids.map(() => null),
		rewritten: ids.map(() => null),
	}
}

/** Ids from one to another. */
export function numbers(from: number, to: number): number[] {
	return Array.from({ length: to - from + 1 }, (_, at) => from + at)
}

/** The note of a row. */
export function noteOf(id: number, bytes = 20): string {
	return `note ${id} `.repeat(Math.ceil(bytes / 6)).slice(0, bytes)
}

function columnOf(values: string[]): TextColumn {
	const bytes = values.map((value) => Buffer.from(value))
	const offsets = new Uint32Array(values.length + 1)
	for (const [at, value] of bytes.entries()) offsets[at + 1] = (offsets[at] as number) + value.length
	return { bytes: Buffer.concat(bytes), offsets, present: new Uint8Array(values.length).fill(1) }
}

function cut(rows: ChangeRows, from: number, to: number): ChangeRows {
	return {
		...rows,
		count: to - from,
		columns: rows.columns.map(({ bytes, offsets, present }) => ({
			bytes,
			offsets: offsets.subarray(from, to + 1),
			present: present.subarray(from, to),
		})),
		op: rows.op.subarray(from, to),
		position: rows.position.subarray(from, to),
		ordinal: rows.ordinal.subarray(from, to),
		xid: rows.xid.subarray(from, to),
		committedAt: rows.committedAt.subarray(from, to),
		leaf: rows.leaf.slice(from, to),
		rewritten: rows.rewritten.slice(from, to),
	}
}

function tableOf(name: string): SourceTable {
	const column = { typmod: -1, typeKind: 'b', notNull: true, generated: '', identity: '' } as const
	return {
		...{ oid: 16_384 + name.length, schema: 'public', name, kind: 'r', key: ['id'], foreignKeys: [] },
		columns: [
			{ attnum: 1, name: 'id', typeOid: 20, typeName: 'bigint', ...column },
			{ attnum: 2, name: 'note', typeOid: 25, typeName: 'text', ...column },
		],
	}
}
