import { ReprieveError } from '@reprieve/contracts'
import type { Admin } from 'kafkajs'
import { FrameConsumer, type Lane, type LaneRecord } from './consumer.ts'
import { Flusher } from './flusher.ts'
import { type Group, Intake, type IntakeOptions } from './intake.ts'
import { KnownTransactions } from './known.ts'
import { type Epoch, isCurrent } from './lineage.ts'
import type { PartitionShare } from './partition.ts'
import { recordLostFrames } from './record.ts'
import type { FramesSession } from './session.ts'
import { type Ends, listFrameTopics, readEnds, readGroupOffsets } from './topics.ts'
import { Watchdog } from './watchdog.ts'
import { within } from './within.ts'

export type ReadingParts = {
	admin: Admin
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
	readonly #options: FramesSession
	readonly #parts: ReadingParts
	readonly #flusher: Flusher
	readonly #watchdog: Watchdog
	readonly #intakeOptions: IntakeOptions
	#intake: Intake
	#topics: ReadonlyMap<string, number>
	#consumer: FrameConsumer
	#opening: Promise<void> = Promise.resolve()
	#timers: Repeated[] = []
	#isStopped = false

	constructor(options: FramesSession, parts: ReadingParts) {
		this.#options = options
		this.#parts = parts
		this.#topics = parts.topics
		this.#watchdog = new Watchdog(options.watchMs)
		const { config, control, vault, log, frameKey: key, patienceMs } = options
		const { epoch, closed, fail, end } = parts
		this.#flusher = new Flusher({
			...{ config, log, holdings: () => this.#intake, onFailure: fail },
			onGap: (share) => this.#recordGaps(share),
			onCommitted: (share) => this.#intake.committed(share),
		})
		this.#intakeOptions = {
			...{ control, vault, epoch, closed, key, log, patienceMs, flusher: this.#flusher },
			...{ group: this.#makeGroup(), known: new KnownTransactions(vault), onDrained: end, onFailure: fail },
		}
		this.#intake = new Intake(this.#intakeOptions, [])
		this.#consumer = this.#makeConsumer()
	}

	async start(): Promise<void> {
		const { fail } = this.#parts
		const { lookMs, watchMs } = this.#options
		await this.#consumer.start()
		const watchEveryMs = Math.max(50, watchMs / 4)
		this.#timers = [
			repeat(lookMs, () => this.#look(), fail),
			repeat(watchEveryMs, () => this.#watch(), fail),
			repeat(watchEveryMs, async () => this.#listen(), fail),
		]
	}

	/** Takes what is whole to the vault, and leaves the group. */
	async stop(): Promise<void> {
		this.#isStopped = true
		await Promise.all(this.#timers.map((timer) => timer.stop()))
		await this.#flusher.stop()
		await this.#intake.close()
		await this.#leave(this.#consumer)
		await this.#opening
	}

	/** A member that cannot even leave is left to itself: it hands over nothing any more, and the group forgets it. */
	async #leave(consumer: FrameConsumer): Promise<void> {
		const { log } = this.#options
		const left = within(leaveMs, 'leaving the group', consumer.stop())
		await left.catch((error) => log.debug({ err: error }, 'could not leave the group'))
	}

	#makeConsumer(): FrameConsumer {
		const { kafka, group, config } = this.#options
		const isMine = (): boolean => this.#consumer === consumer && !this.#isStopped
		const consumer: FrameConsumer = new FrameConsumer({
			...{ kafka, group, topics: [...this.#topics.keys()], sessionMs: config.leaseMs },
			onAssigned: (lanes) => isMine() && this.#assign(lanes),
			onRecords: async (lane, records, batch) => {
				if (isMine()) await this.#take(lane, records, batch)
			},
			onFailure: (error) => isMine() && this.#parts.fail(error),
		})
		return consumer
	}

	/** Nothing of what was held is kept: whoever has the lanes now reads it again. */
	#assign(lanes: Lane[]): void {
		const former = this.#intake
		const closed = former.close()
		const intake = new Intake(this.#intakeOptions, lanes)
		this.#intake = intake
		this.#options.log.info({ lanes: lanes.length }, 'the group gave partitions')
		const before = this.#opening
		const open = async () => {
			await before
			await closed
			await this.#flusher.idle()
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
		const { epoch, admin } = this.#parts
		if (!(await isCurrent(this.#options, epoch))) {
			throw new ReprieveError('CONFLICT', `epoch ${epoch.epoch} of lineage ${epoch.lineage.id} is over`, {
				hint: 'The archiver reads the lineage again.',
				retryable: true,
			})
		}
		await this.#intake.tend()
		const topics = await listFrameTopics(admin, epoch.prefix)
		if ([...topics].join() !== [...this.#topics].join()) await this.#subscribe(topics)
	}

	/** A member cannot leave topics that are gone, and sees no partitions that were added: another one takes its place. */
	async #subscribe(topics: ReadonlyMap<string, number>): Promise<void> {
		const { log } = this.#options
		log.info({ topics: topics.size }, 'the topics have changed')
		const former = this.#consumer
		this.#topics = topics
		this.#consumer = this.#makeConsumer()
		await this.#intake.close()
		await this.#leave(former)
		if (!this.#isStopped) await this.#consumer.start()
	}

	#listen(): void {
		const { watchMs } = this.#options
		if (this.#consumer.silentMs > watchMs) throw stuck(`the brokers have not answered for ${watchMs} ms`)
	}

	async #watch(): Promise<void> {
		const { watchMs } = this.#options
		if (this.#flusher.isBusy) return
		const expected = Map.groupBy(this.#intake.expected, ({ lane }) => lane.topic)
		for (const [topic, lanes] of expected) {
			const ends = await readEnds(this.#parts.admin, topic).catch(() => new Map<number, Ends>())
			for (const { lane, next } of lanes) {
				const high = ends.get(lane.partition)?.high ?? next
				if (!this.#watchdog.look(lane, { next, high, now: performance.now() })) continue
				throw stuck(`record ${next} of ${topic}, partition ${lane.partition} has lain unread for ${watchMs} ms`)
			}
		}
	}

	async #recordGaps({ partition, gaps }: PartitionShare): Promise<void> {
		const { control } = this.#options
		const { lineage } = this.#parts.epoch
		for (const range of gaps.filter(({ isLost }) => isLost))
			await recordLostFrames(control, { lineage: lineage.id, what: partition.source, table: partition.label, range })
	}

	async #endsOf({ topic, partition }: Lane): Promise<Ends | undefined> {
		const { admin, epoch } = this.#parts
		if (!(await listFrameTopics(admin, epoch.prefix)).has(topic)) return undefined
		return (await readEnds(admin, topic)).get(partition)
	}

	#makeGroup(): Group {
		const { admin } = this.#parts
		return {
			begin: (lane, offset) => this.#consumer.begin(lane, offset),
			pause: (lane) => this.#consumer.pause(lane),
			resume: (lane) => this.#consumer.resume(lane),
			offsets: (topics) => within(answerMs, 'offsets', readGroupOffsets(admin, this.#options.group, topics)),
			commit: (offsets) => this.#consumer.commit(offsets),
			ends: (lane) => within(answerMs, `the end of ${lane.topic}`, this.#endsOf(lane)),
		}
	}
}

type Repeated = { stop(): Promise<void> }

/** Does the work at an interval, never two at a time, until it fails. */
function repeat(everyMs: number, work: () => Promise<void>, onFailure: (error: unknown) => void): Repeated {
	let round: Promise<void> | undefined
	let isStopped = false
	const timer = setInterval(() => {
		round ??= work()
			.catch((error) => {
				if (!isStopped) onFailure(error)
			})
			.finally(() => {
				round = undefined
			})
	}, everyMs)
	return {
		async stop() {
			isStopped = true
			clearInterval(timer)
			await within(leaveMs, 'a look around', round ?? Promise.resolve()).catch(() => {})
		},
	}
}

function stuck(why: string): ReprieveError {
	return new ReprieveError('UNAVAILABLE', `nothing is read: ${why}`, { retryable: true })
}
