import { type RowsFrame, type TransactionsFrame, tableOfTopic, transactionsTopic } from '@reprieve/cdc'
import { type CaptureIncident, ReprieveError, type TableName } from '@reprieve/contracts'
import type { Control } from '@reprieve/control'
import type { Vault } from '@reprieve/vault'
import type { Logger } from 'pino'
import { frameSource, parkedMark, transactionsSource } from '../kafka/sources.ts'
import { comparePlaces, endOf, type Link } from './chain.ts'
import type { Lane, LaneRecord } from './consumer.ts'
import type { Flusher } from './flusher.ts'
import { inParallel } from './in-parallel.ts'
import type { KnownTransactions } from './known.ts'
import { LaneReader, type ReadFrame } from './lane.ts'
import type { Epoch } from './lineage.ts'
import { MissingRows } from './missing.ts'
import { type Beginning, type GroupOffset, openPartition, openQueue } from './opening.ts'
import type { PartitionShare, TablePartition } from './partition.ts'
import { judgeBelonging, missingIncident, poisonIncident } from './poison.ts'
import type { ReceiptQueue } from './queue.ts'
import { ReceiptWriter } from './receipts.ts'
import { copyReceipts, raiseIncident, resolveLane } from './record.ts'
import type { Ends } from './topics.ts'

/** Transactions that wait for their rows at most; then their partition waits. */
const maxWaiting = 20_000

/** Lanes that are opened at the same time. */
const lanesAtOnce = 8

/** The group's side of reading. */
export type Group = {
	begin(lane: Lane, offset: bigint): void
	pause(lane: Lane): void
	resume(lane: Lane): void
	/** What the group remembers of lanes of topics. */
	offsets(topics: string[]): Promise<(lane: Lane) => GroupOffset | undefined>
	/** Says in the group how far everything is durable. */
	commit(offsets: (Lane & { offset: bigint; metadata: string })[]): Promise<void>
	/** Both ends of a lane; undefined without its topic. */
	ends(lane: Lane): Promise<Ends | undefined>
}

export type IntakeOptions = {
	control: Control
	vault: Vault
	epoch: Epoch
	/** Lineages of the vault that were left. */
	closed: ReadonlySet<string>
	key: Uint8Array
	group: Group
	flusher: Flusher
	known: KnownTransactions
	log: Logger
	/** Milliseconds that an acknowledged frame may take until it is at hand. */
	patienceMs: number
	/** Everything of the epoch is in the vault. */
	onDrained: () => void
	/** Called with what ended it. */
	onFailure: (error: unknown) => void
}

/** A partition that this instance reads. */
type Reading = {
	lane: Lane
	reader: LaneReader
	source: string
	/** A table's rows, or the transactions; neither before the first frame of a topic whose name does not say the table. */
	partition?: TablePartition
	queue?: ReceiptQueue
	/** Offset of the record that stopped it, and why. */
	poison?: { offset: bigint; why: string }
	/** Offset of a frame that was read, but is not taken yet. */
	inHand?: bigint
	/** Frames are missing; whether that is recorded of this session, and where the first frame behind them lies. */
	hole?: { session: string; isRecorded: boolean; offset: bigint }
	/** Its end was reached without a hole. */
	isWhole: boolean
	/** So many transactions wait that no more are read. */
	isLong: boolean
	/** What was said in the group. */
	committed?: bigint
}

type Batch = { end: bigint; beat: () => Promise<void> }

/** What the group gave to this instance, until it gives anew: nothing of it is kept then. */
export class Intake {
	readonly #options: IntakeOptions
	readonly #lanes: Lane[]
	readonly #readings = new Map<string, Reading>()
	readonly #missing: MissingRows
	#receipts: ReceiptWriter | undefined
	#groupOffset: (lane: Lane) => GroupOffset | undefined = () => undefined
	#archived = 0n
	#healed: Lane[] = []
	#isClosed = false

	constructor(options: IntakeOptions, lanes: Lane[]) {
		this.#options = options
		this.#lanes = lanes
		this.#missing = new MissingRows({ ...options, ends: options.group.ends })
	}

	get bytes(): number {
		let bytes = 0
		for (const partition of this.partitions) bytes += partition.bytes
		return bytes
	}

	get partitions(): TablePartition[] {
		return [...this.#readings.values()].flatMap(({ partition }) => partition ?? [])
	}

	/** Takes every whole share. */
	take(): PartitionShare[] {
		return [...this.#readings.values()].flatMap((reading) => reading.partition?.take(resumeOf(reading)) ?? [])
	}

	/** A share is in its table's log. */
	committed({ partition, position, marks }: PartitionShare): void {
		partition.committed(position)
		this.#receipts?.committed(partition.label, [{ source: partition.source, position }, ...marks])
	}

	/** Reads where every lane stands and begins to read it. */
	async open(): Promise<void> {
		const { vault, epoch, group } = this.#options
		this.#archived = await this.#readArchived()
		this.#groupOffset = await group.offsets([...new Set(this.#lanes.map(({ topic }) => topic))])
		const transactions = transactionsTopic(epoch.prefix)
		await inParallel(this.#lanes, lanesAtOnce, async (lane) => {
			if (lane.topic === transactions) await this.#openTransactions(lane)
			else await this.#openTable(lane, tableOfTopic(epoch.prefix, lane.topic))
		})
		if (!this.#isClosed && this.#receipts)
			await copyReceipts(this.#options.control, vault, epoch.lineage.id, this.#archived)
		if (!this.#isClosed) this.#receipts?.start()
	}

	/** Takes records of one lane, in order. */
	async records(lane: Lane, records: LaneRecord[], batch: Batch): Promise<void> {
		const reading = this.#readings.get(keyOf(lane))
		if (!reading) return
		for (const record of records) {
			await this.#options.flusher.room(batch.beat)
			if (this.#isClosed || reading.poison !== undefined) return
			const read = reading.reader.read(record)
			if (read.kind === 'frame') await this.#frame(reading, read)
			else if (read.kind === 'seek') return this.#options.group.begin(lane, reading.reader.next)
			else if (read.kind === 'poison') await this.#poison(reading, read)
			else if (read.kind === 'ahead') throw newEpoch(lane)
		}
		await this.#reached(reading, batch.end)
	}

	/** Looks at what changes beside the records. */
	async tend(): Promise<void> {
		const { group, flusher, log } = this.#options
		for (const reading of this.#readings.values()) {
			const { poison, lane } = reading
			if (poison === undefined || !(await this.#isParked(lane, poison.offset))) continue
			const next = poison.offset + 1n
			reading.reader.skipTo(next)
			reading.poison = undefined
			log.warn({ ...lane, offset: poison.offset }, 'a record was parked, reading goes on behind it')
			if (!this.#isClosed) group.begin(lane, next)
		}
		const healed = this.#healed
		this.#healed = []
		for (const lane of healed) await this.#resolve(lane)
		if (!flusher.isBusy && !this.#isClosed) await this.#tellGroup()
	}

	/** What stopped the lane meanwhile stays told: only its end, read without it, says that it is over. */
	async #resolve(lane: Lane): Promise<void> {
		const { control, log } = this.#options
		const reading = this.#readings.get(keyOf(lane))
		const isOver = () => reading?.isWhole === true && reading.poison === undefined
		if (!isOver()) return
		const resolved = await resolveLane(control, lane)
		if (resolved > 0) log.info({ ...lane, incidents: resolved }, 'what was missing is at hand')
		if (reading?.poison) await raiseIncident(control, poisonOf(reading, reading.poison))
	}

	/** Lanes that are read, and the offsets of the records that come next. */
	get expected(): { lane: Lane; next: bigint }[] {
		const read = [...this.#readings.values()].filter(({ poison, isLong }) => poison === undefined && !isLong)
		return read.map(({ lane, reader }) => ({ lane, next: reader.next }))
	}

	/** Lets receipts under way end. */
	async close(): Promise<void> {
		this.#isClosed = true
		await this.#receipts?.stop()
	}

	async #readArchived(): Promise<bigint> {
		const { vault, epoch } = this.#options
		const archived = await vault.transactions.archived(epoch.lineage.id)
		if (archived !== undefined) return archived
		throw new ReprieveError('VAULT_CORRUPT', `the vault's record of transactions lost lineage ${epoch.lineage.id}`)
	}

	async #openTransactions(lane: Lane): Promise<void> {
		const { vault, epoch, control, log, onDrained, onFailure } = this.#options
		const beginning = await openQueue({ vault, epoch, group: this.#groupOffset(lane) }, this.#archived)
		const { queue } = beginning
		this.#receipts = new ReceiptWriter({
			...{ control, vault, epoch, log, queue, topic: lane.topic, onDrained, onFailure },
			onAwaited: (shares, waitedMs) => this.#missing.look(shares, waitedMs),
			onAppended: () => this.#shorter(lane),
		})
		this.#begin({ lane, beginning, queue, source: transactionsSource(epoch.lineage.id, epoch.epoch) })
	}

	async #openTable(lane: Lane, table: TableName | undefined): Promise<void> {
		const { vault, epoch } = this.#options
		const source = frameSource(epoch.lineage.id, epoch.epoch, lane.partition)
		const group = this.#groupOffset(lane)
		if (!table) {
			const beginning = { offset: group?.offset ?? 0n, isContiguous: !group || group.metadata === source }
			return this.#begin({ lane, beginning, source })
		}
		const at = { partition: lane.partition, archived: this.#archived }
		const { partition, ...beginning } = await openPartition({ vault, epoch, group }, table, at)
		this.#begin({ lane, beginning, partition, source })
	}

	#begin({
		beginning,
		...opened
	}: Pick<Reading, 'lane' | 'source' | 'partition' | 'queue'> & { beginning: Beginning }) {
		if (this.#isClosed) return
		const { key, vault, epoch, closed, group } = this.#options
		const { lane } = opened
		const reader = new LaneReader(lane, {
			...{ key, next: beginning.offset },
			judge: (frame) => judgeBelonging(frame, { ...lane, database: vault.database, epoch, closed }),
			onSkip: () => {
				reading.partition?.skip()
				reading.queue?.skip()
			},
		})
		const reading: Reading = { ...opened, reader, isWhole: false, isLong: false }
		this.#readings.set(keyOf(lane), reading)
		group.begin(lane, beginning.offset)
	}

	async #frame(reading: Reading, read: ReadFrame): Promise<void> {
		const { frame, ...at } = read
		reading.inHand = at.offset
		if (frame.kind === 'rows') await this.#rows(reading, { frame, ...at })
		else await this.#transactions(reading, { frame, ...at })
	}

	async #rows(reading: Reading, arrival: Omit<ReadFrame, 'kind' | 'frame'> & { frame: RowsFrame }): Promise<void> {
		const { flusher, known } = this.#options
		const { header, rows } = arrival.frame
		reading.partition ??= await this.#lateTable(reading, rows.table)
		const { partition } = reading
		if (comparePlaces(header.predecessor, partition.covered) > 0 && reading.hole?.session !== header.session) {
			this.#archived = await this.#readArchived()
			partition.raise(endOf(this.#archived - 1n))
		}
		const { repeated, fresh } = partition.identify(arrival.frame)
		await known.check(repeated, partition.durable, partition.table)
		while (flusher.isRelieving) await flusher.relieved()
		if (this.#isClosed) return
		const kind = partition.arrive(arrival)
		reading.inHand = undefined
		this.#follow(reading, kind, arrival)
		if (kind === 'hole') return
		for (const transaction of fresh) known.add(transaction)
		if (!partition.hasWhole) return
		if (header.isUrgent) void flusher.now()
		else flusher.soon()
	}

	async #transactions(
		reading: Reading,
		arrival: Omit<ReadFrame, 'kind' | 'frame'> & { frame: TransactionsFrame },
	): Promise<void> {
		const { queue } = reading
		if (!queue) return
		const { known } = this.#options
		const { repeated, fresh } = queue.identify(arrival.frame)
		await known.check(repeated, queue.durable)
		if (this.#isClosed) return
		const kind = queue.arrive(arrival)
		reading.inHand = undefined
		this.#follow(reading, kind, arrival)
		if (kind === 'hole') return
		for (const transaction of fresh) known.add(transaction)
		this.#receipts?.wake()
		if (reading.isLong || queue.size <= maxWaiting) return
		reading.isLong = true
		this.#options.group.pause(reading.lane)
	}

	#shorter(lane: Lane): void {
		const reading = this.#readings.get(keyOf(lane))
		if (!reading?.isLong || (reading.queue?.size ?? 0) > maxWaiting / 2) return
		reading.isLong = false
		if (!this.#isClosed && reading.poison === undefined) this.#options.group.resume(lane)
	}

	/** The table of a topic whose name is a digest is known by its first frame. */
	async #lateTable({ lane }: Reading, table: TableName): Promise<TablePartition> {
		const { vault, epoch } = this.#options
		const at = { partition: lane.partition, archived: this.#archived }
		return (await openPartition({ vault, epoch, group: this.#groupOffset(lane) }, table, at)).partition
	}

	#follow(reading: Reading, kind: Link['kind'], { frame, offset }: Pick<ReadFrame, 'frame' | 'offset'>): void {
		if (kind === 'hole') {
			const { session } = frame.header
			const { hole } = reading
			if (hole?.session !== session) reading.hole = { session, isRecorded: false, offset: hole?.offset ?? offset }
			reading.isWhole = false
			return
		}
		if (kind === 'gap') this.#options.log.warn(reading.lane, 'frames are gone that nobody will send again')
		reading.hole = undefined
	}

	/** What was there is read: a hole that nothing closed is told of, and one that is closed as well. */
	async #reached(reading: Reading, end: bigint): Promise<void> {
		const { lane, reader, hole, partition } = reading
		if (reader.next < end) return
		if (hole && !hole.isRecorded) {
			hole.isRecorded = true
			this.#options.log.warn({ ...lane, ...hole }, 'frames are missing')
			await raiseIncident(this.#options.control, missingIncident(lane, partition?.label))
		} else if (!hole && !reading.isWhole) {
			reading.isWhole = true
			this.#healed.push(lane)
		}
	}

	async #poison(reading: Reading, { offset, why }: { offset: bigint; why: string }): Promise<void> {
		const { group, control, log } = this.#options
		const { lane, reader } = reading
		if (await this.#isParked(lane, offset)) return reader.skipTo(offset + 1n)
		reading.poison = { offset, why }
		group.pause(lane)
		log.error({ ...lane, offset, why }, 'a record is no frame to archive: its partition stops there')
		await raiseIncident(control, poisonOf(reading, reading.poison))
	}

	async #isParked({ topic, partition }: Lane, offset: bigint): Promise<boolean> {
		const { vault, epoch } = this.#options
		const place = { lineage: epoch.lineage.id, epoch: epoch.epoch }
		return (await vault.transactions.archived(parkedMark(place, { topic, partition, offset }))) !== undefined
	}

	async #tellGroup(): Promise<void> {
		const { group, log } = this.#options
		const offsets = [...this.#readings.values()].flatMap((reading) => {
			const { lane, partition, queue, source } = reading
			if (partition?.hasWhole || (queue && queue.size > 0)) return []
			const offset = partition?.resumeAt(resumeOf(reading)) ?? resumeOf(reading)
			if (offset === reading.committed) return []
			reading.committed = offset
			return [{ ...lane, offset, metadata: source }]
		})
		if (offsets.length === 0) return
		await group.commit(offsets).catch((error) => log.debug({ err: error }, 'the group was not told'))
	}
}

/** Where reading begins anew without losing what this instance has not taken. */
function resumeOf({ hole, inHand, reader }: Reading): bigint {
	return hole?.offset ?? inHand ?? reader.resume
}

function poisonOf({ lane, partition }: Reading, { offset, why }: { offset: bigint; why: string }): CaptureIncident {
	return poisonIncident(lane, offset, { table: partition?.label, why })
}

function keyOf({ topic, partition }: Lane): string {
	return `${topic}:${partition}`
}

function newEpoch({ topic }: Lane): ReprieveError {
	return new ReprieveError('CONFLICT', `${topic} has frames of another epoch than the vault names`, {
		hint: 'The archiver reads the lineage again.',
		retryable: true,
	})
}
