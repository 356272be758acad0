import { ReprieveError } from '@reprieve/contracts'
import type { Vault } from '@reprieve/vault'
import type { Logger } from 'pino'
import { type Clock, systemClock } from '../clock.ts'
import type { SidecarConfig } from '../config.ts'
import type { Brokers, Ends, GroupMember, Lane, LaneRecord } from './brokers.ts'
import { Flusher } from './flusher.ts'
import { type Group, Intake, type IntakeOptions } from './intake.ts'
import { KnownTransactions } from './known.ts'
import { type Epoch, isCurrent } from './lineage.ts'
import type { PartitionShare } from './partition.ts'
import type { Records } from './records.ts'
import { Watchdog } from './watchdog.ts'
import { within } from './within.ts'

export type ReadingOptions = {
	config: Pick<SidecarConfig, 'lingerMs' | 'bufferBytes'>
	vault: Vault
	brokers: Brokers
	records: Records
	clock?: Clock
	log: Logger
	frameKey: Uint8Array
	/** Milliseconds between looks for new topics, for parked records, for the epoch's end. */
	lookMs: number
	/** Milliseconds that records may lie unread, or brokers silent, before reading starts anew. */
	watchMs: number
	/** Milliseconds that rows of an acknowledged transaction may take. */
	patienceMs: number
}

export type ReadingParts = {
	epoch: Epoch
	/** With their numbers of partitions. */
	topics: ReadonlyMap<string, number>
	/** Lineages of the vault that were left. */
	closed: ReadonlySet<string>
	fail: (error: unknown) => void
	/** Called when the epoch is over. */
	end: () => void
}

/** Milliseconds that brokers have to answer a question, and that leaving them may take. */
const answerMs = 10_000
const leaveMs = 3_000

/** Reading of one epoch: a member of the group, what it was given, and what looks after both. */
export class FramesReading {
	readonly #options: ReadingOptions
	readonly #clock: Clock
	readonly #parts: ReadingParts
	readonly #flusher: Flusher
	readonly #watchdog: Watchdog
	readonly #intakeOptions: IntakeOptions
	#intake: Intake
	#topics: ReadonlyMap<string, number>
	#member: GroupMember
	#opening: Promise<void> = Promise.resolve()
	#timers: Repeated[] = []
	#isStopped = false

	constructor(options: ReadingOptions, parts: ReadingParts) {
		const { clock = systemClock } = options
		this.#options = options
		this.#clock = clock
		this.#parts = parts
		this.#topics = parts.topics
		this.#watchdog = new Watchdog(options.watchMs)
		const { config, records, vault, log, frameKey: key, patienceMs } = options
		const { epoch, closed, fail, end } = parts
		this.#flusher = new Flusher({
			...{ config, clock, log, holdings: () => this.#intake, onFailure: fail },
			onGap: (share) => this.#recordGaps(share),
			onCommitted: (share) => this.#intake.committed(share),
		})
		this.#intakeOptions = {
			...{ records, vault, epoch, closed, key, clock, log, patienceMs, flusher: this.#flusher },
			...{ group: this.#makeGroup(), known: new KnownTransactions(vault), onDrained: end, onFailure: fail },
		}
		this.#intake = new Intake(this.#intakeOptions)
		this.#member = this.#makeMember()
	}

	async start(): Promise<void> {
		const { fail } = this.#parts
		const { lookMs, watchMs } = this.#options
		await this.#member.start()
		const watchEveryMs = Math.max(50, watchMs / 4)
		this.#timers = [
			this.#repeat(lookMs, () => this.#look(), fail),
			this.#repeat(watchEveryMs, () => this.#watch(), fail),
			this.#repeat(watchEveryMs, async () => this.#listen(), fail),
		]
	}

	/** Takes what is whole to the vault, and leaves the group. */
	async stop(): Promise<void> {
		this.#isStopped = true
		await Promise.all(this.#timers.map((timer) => timer.stop()))
		await this.#flusher.stop()
		await this.#intake.close()
		await this.#leave(this.#member)
		await this.#opening
	}

	/** A member that cannot even leave is left to itself: it hands over nothing any more, and the group forgets it. */
	async #leave(member: GroupMember): Promise<void> {
		const { log } = this.#options
		const left = within(leaveMs, 'leaving the group', member.stop(), this.#clock)
		await left.catch((error) => log.debug({ err: error }, 'could not leave the group'))
	}

	#makeMember(): GroupMember {
		const isMine = (): boolean => this.#member === member && !this.#isStopped
		const member: GroupMember = this.#options.brokers.member({
			topics: [...this.#topics.keys()],
			onAssigned: (lanes, isContinued) => isMine() && this.#assign(lanes, isContinued),
			onRecords: async (lane, records, batch) => {
				if (isMine()) await this.#take(lane, records, batch)
			},
			onFailure: (error) => isMine() && this.#parts.fail(error),
		})
		return member
	}

	/** Of what somebody else may have had meanwhile nothing is kept: it is read again. */
	#assign(lanes: Lane[], isContinued: boolean): void {
		const former = this.#intake
		const closed = isContinued ? undefined : former.close()
		const intake = isContinued ? former : new Intake(this.#intakeOptions)
		this.#intake = intake
		intake.give(lanes)
		this.#options.log.info({ lanes: lanes.length, isContinued }, 'the group gave partitions')
		const before = this.#opening
		const open = async () => {
			await before
			await closed
			await this.#flusher.settled()
			if (this.#intake === intake && !this.#isStopped) await intake.open()
		}
		this.#opening = open().catch((error) => this.#parts.fail(error))
	}

	/** A failure ends the session; only the group's own may go to the group, which then gives partitions anew. */
	async #take(lane: Lane, records: LaneRecord[], batch: { end: bigint; beat: () => Promise<void> }): Promise<void> {
		let fromGroup: unknown
		const beat = async () => {
			try {
				await batch.beat()
			} catch (error) {
				fromGroup = error
				throw error
			}
		}
		try {
			await this.#intake.records(lane, records, { end: batch.end, beat })
		} catch (error) {
			if (error !== fromGroup) this.#parts.fail(error)
			throw error
		}
	}

	async #look(): Promise<void> {
		const { epoch } = this.#parts
		if (!(await isCurrent(this.#options, epoch))) {
			throw new ReprieveError('CONFLICT', `epoch ${epoch.epoch} of lineage ${epoch.lineage.id} is over`, {
				hint: 'The archiver reads the lineage again.',
				retryable: true,
			})
		}
		await this.#intake.tend()
		const topics = await this.#options.brokers.topics(epoch.prefix)
		const added = [...topics.keys()].filter((topic) => !this.#topics.has(topic))
		if ([...this.#topics].some(([topic, partitions]) => topics.get(topic) !== partitions)) await this.#subscribe(topics)
		else if (added.length > 0) await this.#add(added, topics)
	}

	/** What is read already is read on meanwhile, however many topics have come. */
	async #add(added: string[], topics: ReadonlyMap<string, number>): Promise<void> {
		const { log } = this.#options
		log.info({ added: added.length }, 'there are more topics')
		if (await this.#member.add(added)) this.#topics = topics
		else log.info('a broker does not know all of them: the next look tries again')
	}

	/** A member cannot leave topics that are gone, and sees no partitions that were added: another one takes its place. */
	async #subscribe(topics: ReadonlyMap<string, number>): Promise<void> {
		const { log } = this.#options
		log.info({ topics: topics.size }, 'the topics have changed')
		const former = this.#member
		this.#topics = topics
		this.#member = this.#makeMember()
		await this.#intake.close()
		await this.#leave(former)
		if (!this.#isStopped) await this.#member.start()
	}

	#listen(): void {
		const { watchMs } = this.#options
		if (this.#member.silentMs > watchMs) throw stuck(`the brokers have not answered for ${watchMs} ms`)
	}

	async #watch(): Promise<void> {
		const { watchMs, brokers } = this.#options
		if (this.#flusher.isBusy) return
		const expected = Map.groupBy(this.#intake.expected, ({ lane }) => lane.topic)
		for (const [topic, lanes] of expected) {
			const ends = await brokers.ends(topic).catch(() => new Map<number, Ends>())
			for (const { lane, next } of lanes) {
				const high = ends.get(lane.partition)?.high ?? next
				if (!this.#watchdog.look(lane, { next, high, now: this.#clock.now() })) continue
				throw stuck(`record ${next} of ${topic}, partition ${lane.partition} has lain unread for ${watchMs} ms`)
			}
		}
	}

	async #recordGaps({ partition, gaps }: PartitionShare): Promise<void> {
		const { records } = this.#options
		const { lineage } = this.#parts.epoch
		for (const range of gaps.filter(({ isLost }) => isLost))
			await records.lose({ lineage: lineage.id, what: partition.source, table: partition.label, range })
	}

	async #endsOf({ topic, partition }: Lane): Promise<Ends | undefined> {
		const { brokers } = this.#options
		if (!(await brokers.topics(this.#parts.epoch.prefix)).has(topic)) return undefined
		return (await brokers.ends(topic)).get(partition)
	}

	#makeGroup(): Group {
		const { brokers } = this.#options
		return {
			begin: (lane, offset) => this.#member.begin(lane, offset),
			pause: (lane) => this.#member.pause(lane),
			resume: (lane) => this.#member.resume(lane),
			offsets: () => within(answerMs, 'offsets', brokers.offsets(), this.#clock),
			commit: (offsets) => this.#member.commit(offsets),
			ends: (lane) => within(answerMs, `the end of ${lane.topic}`, this.#endsOf(lane), this.#clock),
		}
	}

	/** Does the work at an interval, never two at a time, until it fails. */
	#repeat(everyMs: number, work: () => Promise<void>, onFailure: (error: unknown) => void): Repeated {
		let round: Promise<void> | undefined
		let isStopped = false
		const end = this.#clock.every(everyMs, () => {
			round ??= work()
				.catch((error) => {
					if (!isStopped) onFailure(error)
				})
				.finally(() => {
					round = undefined
				})
		})
		return {
			stop: async () => {
				isStopped = true
				end()
				await within(leaveMs, 'a look around', round ?? Promise.resolve(), this.#clock).catch(() => {})
			},
		}
	}
}

type Repeated = { stop(): Promise<void> }

function stuck(why: string): ReprieveError {
	return new ReprieveError('UNAVAILABLE', `nothing is read: ${why}`, { retryable: true })
}
