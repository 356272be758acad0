import { type RowsFrame, type TransactionsFrame, tableOfTopic, transactionsTopic } from '@reprieve/cdc'
import { ReprieveError, type TableName } from '@reprieve/contracts'
import type { Vault } from '@reprieve/vault'
import type { Logger } from 'pino'
import type { Clock } from '../clock.ts'
import { frameSource, transactionsSource } from '../kafka/sources.ts'
import type { Ends, GroupMember, Lane, LaneRecord } from './brokers.ts'
import { comparePlaces, endOf } from './chain.ts'
import { copyReceipts } from './copy.ts'
import type { Flusher } from './flusher.ts'
import { durableOf, type HeldLane, resumeOf } from './held-lane.ts'
import { inParallel } from './in-parallel.ts'
import type { KnownTransactions } from './known.ts'
import { LaneReader, type ReadFrame } from './lane.ts'
import type { Epoch } from './lineage.ts'
import { MissingRows } from './missing.ts'
import { type Beginning, type GroupOffset, openPartition, openQueue, readArchived } from './opening.ts'
import type { PartitionShare, TablePartition } from './partition.ts'
import { judgeBelonging } from './poison.ts'
import { ReceiptWriter } from './receipts.ts'
import type { Records } from './records.ts'
import { Stops } from './stops.ts'

/** Transactions that wait for their rows at most; then their partition waits. */
const maxWaiting = 20_000

/** Lanes that are opened at the same time. */
const lanesAtOnce = 8

/** The group's side of reading. */
export type Group = Pick<GroupMember, 'begin' | 'pause' | 'resume' | 'commit'> & {
	/** What the group remembers of lanes. */
	offsets(): Promise<(lane: Lane) => GroupOffset | undefined>
	/** Both ends of a lane; undefined without its topic. */
	ends(lane: Lane): Promise<Ends | undefined>
}

export type IntakeOptions = {
	records: Records
	vault: Vault
	epoch: Epoch
	/** Lineages of the vault that were left. */
	closed: ReadonlySet<string>
	key: Uint8Array
	group: Group
	flusher: Flusher
	known: KnownTransactions
	clock: Clock
	log: Logger
	/** Milliseconds that an acknowledged frame may take until it is at hand. */
	patienceMs: number
	/** Everything of the epoch is in the vault. */
	onDrained: () => void
	/** Called with what ended it. */
	onFailure: (error: unknown) => void
}

type Batch = { end: bigint; beat: () => Promise<void> }

/** What the group gave to this instance, for as long as nobody else can have had it meanwhile. */
export class Intake {
	readonly #options: IntakeOptions
	/** A lane that went and came back is another one. */
	#given: ReadonlyMap<string, Lane> = new Map()
	readonly #lanesHeld = new Map<string, HeldLane>()
	readonly #missing: MissingRows
	readonly #stops: Stops
	#receipts: ReceiptWriter | undefined
	/** Receipts under way of a lane that went. */
	#leaving: Promise<void> | undefined
	#groupOffset: (lane: Lane) => GroupOffset | undefined = () => undefined
	#archived = 0n
	#isClosed = false

	constructor(options: IntakeOptions) {
		this.#options = options
		this.#missing = new MissingRows({ ...options, ends: options.group.ends })
		this.#stops = new Stops({ ...options, isHeld: (held) => this.#isHeld(held) })
	}

	get bytes(): number {
		let bytes = 0
		for (const partition of this.partitions) bytes += partition.bytes
		return bytes
	}

	get partitions(): TablePartition[] {
		return [...this.#lanesHeld.values()].flatMap(({ partition }) => partition ?? [])
	}

	/** Takes every whole share. */
	take(): PartitionShare[] {
		return [...this.#lanesHeld.values()].flatMap((held) => held.partition?.take(resumeOf(held)) ?? [])
	}

	/** A share is in its table's log. */
	committed({ partition, position, marks }: PartitionShare): void {
		partition.committed(position)
		this.#receipts?.committed(partition.label, [{ source: partition.source, position }, ...marks])
	}

	/** Lanes that were given before and are given again are read on; what was held of others is dropped. */
	give(lanes: readonly Lane[]): void {
		const before = this.#given
		this.#given = new Map(lanes.map((lane) => [keyOf(lane), before.get(keyOf(lane)) ?? lane]))
		for (const [key, held] of this.#lanesHeld) {
			if (this.#given.has(key)) this.#readOn(held)
			else this.#drop(key, held)
		}
	}

	/** Reads where every lane stands that was given and is not read yet, and begins to read it. */
	async open(): Promise<void> {
		const { records, vault, epoch, group } = this.#options
		await this.#leaving
		const lanes = [...this.#given].filter(([key]) => !this.#lanesHeld.has(key)).map(([, lane]) => lane)
		if (lanes.length === 0) return
		this.#archived = await readArchived(this.#options)
		this.#groupOffset = await group.offsets()
		const transactions = transactionsTopic(epoch.prefix)
		const before = this.#receipts
		await inParallel(lanes, lanesAtOnce, async (lane) => {
			if (!this.#isStillGiven(lane)) return
			if (lane.topic === transactions) await this.#openTransactions(lane)
			else await this.#openTable(lane, tableOfTopic(epoch.prefix, lane.topic))
		})
		const receipts = this.#receipts
		if (this.#isClosed || receipts === before) return
		await copyReceipts(records, vault, { lineage: epoch.lineage.id, archived: this.#archived })
		if (!this.#isClosed && this.#receipts === receipts) receipts?.start()
	}

	/** Takes records of one lane, in order. */
	async records(lane: Lane, records: LaneRecord[], batch: Batch): Promise<void> {
		const held = this.#lanesHeld.get(keyOf(lane))
		if (!held) return
		const taking = this.#takeAll(held, records, batch)
		held.taking = taking.catch(() => {})
		await taking
	}

	/** Looks at what changes beside the records. */
	async tend(): Promise<void> {
		const { flusher } = this.#options
		await this.#stops.tend(this.#lanesHeld.values())
		if (!flusher.isBusy && !this.#isClosed) await this.#tellGroup()
	}

	/** Lanes that are read, and the offsets of the records that come next. */
	get expected(): { lane: Lane; next: bigint }[] {
		const read = [...this.#lanesHeld.values()].filter(({ poison, isLong }) => poison === undefined && !isLong)
		return read.map(({ lane, reader }) => ({ lane, next: reader.next }))
	}

	/** Lets receipts under way end. */
	async close(): Promise<void> {
		this.#isClosed = true
		await Promise.all([this.#leaving, this.#receipts?.stop()])
	}

	async #takeAll(held: HeldLane, records: LaneRecord[], batch: Batch): Promise<void> {
		const { lane, reader, given } = held
		for (const record of records) {
			await this.#options.flusher.room(batch.beat)
			if (!this.#isHeld(held) || held.given !== given || held.poison !== undefined) return
			const read = reader.read(record)
			if (read.kind === 'frame') await this.#frame(held, read)
			else if (read.kind === 'seek') return this.#options.group.begin(lane, reader.next)
			else if (read.kind === 'poison') await this.#stops.poison(held, read)
			else if (read.kind === 'ahead') throw newEpoch(lane)
		}
		await this.#stops.reached(held, batch.end)
	}

	/** The group's client has forgotten where it stood; what it handed over before is left at the record under way. */
	#readOn(held: HeldLane): void {
		const { group } = this.#options
		const given = ++held.given
		void held.taking.then(() => {
			if (!this.#isHeld(held) || held.given !== given || held.poison !== undefined) return
			group.begin(held.lane, held.reader.next)
			if (held.isLong) group.pause(held.lane)
		})
	}

	#drop(key: string, { queue }: HeldLane): void {
		this.#lanesHeld.delete(key)
		if (!queue) return
		this.#leaving = this.#receipts?.stop()
		this.#receipts = undefined
	}

	/** Without a break since its opening began: nobody else has moved what was read of the vault for it. */
	#isStillGiven(lane: Lane): boolean {
		return !this.#isClosed && this.#given.get(keyOf(lane)) === lane
	}

	#isHeld(held: HeldLane): boolean {
		return !this.#isClosed && this.#lanesHeld.get(keyOf(held.lane)) === held
	}

	async #openTransactions(lane: Lane): Promise<void> {
		const { records, vault, epoch, clock, log, onDrained, onFailure } = this.#options
		const beginning = await openQueue({ vault, epoch, group: this.#groupOffset(lane) })
		if (!this.#isStillGiven(lane)) return
		const { queue } = beginning
		this.#receipts = new ReceiptWriter({
			...{ records, vault, epoch, clock, log, queue, topic: lane.topic, onDrained, onFailure },
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
	}: Pick<HeldLane, 'lane' | 'source' | 'partition' | 'queue'> & { beginning: Beginning }) {
		const { key, vault, epoch, closed, group } = this.#options
		const { lane } = opened
		if (!this.#isStillGiven(lane)) return
		const reader = new LaneReader(lane, {
			...{ key, next: beginning.offset },
			judge: (frame) => judgeBelonging(frame, { ...lane, database: vault.database, epoch, closed }),
			onSkip: () => {
				held.partition?.skip()
				held.queue?.skip()
			},
		})
		const held: HeldLane = { ...opened, reader, given: 0, taking: Promise.resolve(), isWhole: false, isLong: false }
		this.#lanesHeld.set(keyOf(lane), held)
		group.begin(lane, beginning.offset)
	}

	async #frame(held: HeldLane, read: ReadFrame): Promise<void> {
		const { frame, ...at } = read
		held.inHand = at.offset
		if (frame.kind === 'rows') await this.#rows(held, { frame, ...at })
		else await this.#transactions(held, { frame, ...at })
	}

	async #rows(held: HeldLane, arrival: Omit<ReadFrame, 'kind' | 'frame'> & { frame: RowsFrame }): Promise<void> {
		const { flusher, known } = this.#options
		const { header, rows } = arrival.frame
		held.partition ??= await this.#lateTable(held, rows.table)
		const { partition } = held
		if (comparePlaces(header.predecessor, partition.covered) > 0 && held.hole?.session !== header.session) {
			this.#archived = await readArchived(this.#options)
			partition.raise(endOf(this.#archived - 1n))
		}
		const { repeated, fresh } = partition.identify(arrival.frame)
		await known.check(repeated, partition.durable, partition.table)
		while (flusher.isRelieving) await flusher.relieved()
		if (!this.#isHeld(held)) return
		const kind = partition.arrive(arrival)
		held.inHand = undefined
		this.#stops.follow(held, kind, arrival)
		if (kind === 'hole') return
		for (const transaction of fresh) known.add(transaction)
		if (!partition.hasWhole) return
		if (header.isUrgent) void flusher.now()
		else flusher.soon()
	}

	async #transactions(
		held: HeldLane,
		arrival: Omit<ReadFrame, 'kind' | 'frame'> & { frame: TransactionsFrame },
	): Promise<void> {
		const { queue } = held
		if (!queue) return
		const { known } = this.#options
		const { repeated, fresh } = queue.identify(arrival.frame)
		await known.check(repeated, queue.durable)
		if (!this.#isHeld(held)) return
		const kind = queue.arrive(arrival)
		held.inHand = undefined
		this.#stops.follow(held, kind, arrival)
		if (kind === 'hole') return
		for (const transaction of fresh) known.add(transaction)
		this.#receipts?.wake()
		if (held.isLong || queue.size <= maxWaiting) return
		held.isLong = true
		this.#options.group.pause(held.lane)
	}

	#shorter(lane: Lane): void {
		const held = this.#lanesHeld.get(keyOf(lane))
		if (!held?.isLong || (held.queue?.size ?? 0) > maxWaiting / 2) return
		held.isLong = false
		if (!this.#isClosed && held.poison === undefined) this.#options.group.resume(lane)
	}

	/** The table of a topic whose name is a digest is known by its first frame. */
	async #lateTable({ lane }: HeldLane, table: TableName): Promise<TablePartition> {
		const { vault, epoch } = this.#options
		const at = { partition: lane.partition, archived: this.#archived }
		return (await openPartition({ vault, epoch, group: this.#groupOffset(lane) }, table, at)).partition
	}

	async #tellGroup(): Promise<void> {
		const { group, log } = this.#options
		const news = [...this.#lanesHeld.values()].flatMap((held) => {
			const offset = durableOf(held)
			return offset === undefined || offset === held.committed ? [] : [{ held, offset }]
		})
		if (news.length === 0) return
		try {
			await group.commit(news.map(({ held, offset }) => ({ ...held.lane, offset, metadata: held.source })))
			for (const { held, offset } of news) held.committed = offset
		} catch (error) {
			log.debug({ err: error }, 'the group was not told')
		}
	}
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
