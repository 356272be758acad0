import { ReprieveError } from '@reprieve/contracts'
import type { Brokers, Ends, GroupOffset, Lane, LaneRecord } from '@reprieve/sidecar/steps'
import { keyOf, Member } from './member.ts'
import type { Process, World } from './world.ts'

/** Records of one partition: those before `low` are gone. */
type Log = { low: number; records: Uint8Array[] }

/** Milliseconds after which the group goes on without a member that says nothing. */
const sessionMs = 6_000

/** Brokers in memory: topics, and the one group of archivers. */
export class Broker {
	readonly #world: World
	readonly #topics = new Map<string, Log[]>()
	readonly #offsets = new Map<string, GroupOffset>()
	readonly #members: Member[] = []
	#generation = 0

	constructor(world: World) {
		this.#world = world
		world.clockOf(world.process('broker')).every(sessionMs, () => this.#forgetSilent())
	}

	make(topic: string, partitions: number): void {
		if (!this.#topics.has(topic))
			this.#topics.set(
				topic,
				Array.from({ length: partitions }, () => ({ low: 0, records: [] })),
			)
	}

	has(topic: string): boolean {
		return this.#topics.has(topic)
	}

	append({ topic, partition }: Lane, records: Uint8Array[]): void {
		this.#logOf({ topic, partition }).records.push(...records)
		for (const member of this.#members) member.wake({ topic, partition })
	}

	/** Up to so many records from an offset on; from the first one where there is none at the offset. */
	fetch(lane: Lane, from: bigint, most: number): { records: LaneRecord[]; end: bigint } {
		const { low, records } = this.#logOf(lane)
		const start = from < BigInt(low) || from > BigInt(records.length) ? low : Number(from)
		const found = records.slice(start, start + most)
		return {
			records: found.map((value, at) => ({ offset: BigInt(start + at), value })),
			end: BigInt(records.length),
		}
	}

	/** Offset behind the newest record; undefined without the topic. */
	high({ topic, partition }: Lane): bigint | undefined {
		const log = this.#topics.get(topic)?.[partition]
		return log && BigInt(log.records.length)
	}

	/** Somebody deletes records, or a whole topic, behind everybody's back. */
	lose(): void {
		const { random } = this.#world
		const topics = [...this.#topics.keys()]
		if (topics.length === 0) return
		const topic = random.pick(topics)
		this.#world.note(`records of ${topic} are deleted`)
		if (random.perMille(300)) this.#topics.delete(topic)
		for (const log of this.#topics.get(topic) ?? []) log.low += random.below(log.records.length - log.low + 1)
		if (!this.#topics.has(topic)) this.#rebalance()
	}

	/** As one process has them: every call waits for its turn, and may fail. */
	portFor(process: Process): Brokers {
		const ask = <T>(label: string, act: () => T) => this.#world.call(process, label, act)
		return {
			topics: () => ask('list topics', () => this.#listTopics()),
			ends: (topic) => ask(`ends of ${topic}`, () => this.#endsOf(topic)),
			offsets: () =>
				ask('the group’s offsets', () => {
					const known = new Map(this.#offsets)
					return (lane: Lane) => known.get(keyOf(lane))
				}),
			member: (options) => new Member({ ...options, world: this.#world, process, broker: this }),
		}
	}

	isMember(member: Member): boolean {
		return this.#members.includes(member)
	}

	join(member: Member): void {
		if (!this.isMember(member)) this.#members.push(member)
		this.#rebalance()
	}

	leave(member: Member): void {
		const at = this.#members.indexOf(member)
		if (at < 0) return
		this.#members.splice(at, 1)
		this.#rebalance()
	}

	/** Refuses what a member of a former generation says. */
	commit(generation: number, offsets: (Lane & GroupOffset)[]): void {
		if (generation !== this.#generation)
			throw new ReprieveError('UNAVAILABLE', 'the group gives partitions anew', { retryable: true })
		for (const { offset, metadata, ...lane } of offsets) this.#offsets.set(keyOf(lane), { offset, metadata })
	}

	#listTopics(): Map<string, number> {
		const names = [...this.#topics.keys()].sort()
		return new Map(names.map((name) => [name, this.#topics.get(name)?.length ?? 0]))
	}

	#logOf({ topic, partition }: Lane): Log {
		const log = this.#topics.get(topic)?.[partition]
		if (!log) throw new ReprieveError('UNAVAILABLE', `there is no topic ${topic}`, { retryable: true })
		return log
	}

	#endsOf(topic: string): Map<number, Ends> {
		const logs = this.#topics.get(topic)
		if (!logs) throw new ReprieveError('UNAVAILABLE', `there is no topic ${topic}`, { retryable: true })
		return new Map(
			logs.map(({ low, records }, partition) => [partition, { low: BigInt(low), high: BigInt(records.length) }]),
		)
	}

	#forgetSilent(): void {
		const silent = this.#members.filter(({ isSilent }) => isSilent)
		for (const member of silent) this.#members.splice(this.#members.indexOf(member), 1)
		if (silent.length > 0) this.#rebalance()
	}

	/** Each member hears of it in its own time; until then it reads what it had. */
	#rebalance(): void {
		this.#generation += 1
		for (const [place, member] of this.#members.entries()) {
			const lanes = [...this.#topics]
				.filter(([topic]) => member.topics.includes(topic))
				.flatMap(([topic, logs]) => logs.map((_, partition) => ({ topic, partition })))
				.filter((_, at) => at % this.#members.length === place)
			member.give(this.#generation, lanes)
		}
	}
}
