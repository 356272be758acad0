import { ReprieveError } from '@reprieve/contracts'
import type { GroupMember, GroupOffset, Lane, MemberOptions } from '@reprieve/sidecar/steps'
import type { Broker } from './broker.ts'
import type { Process, World } from './world.ts'

/** Where a lane is read; paused until it is begun. */
type Reading = { lane: Lane; position: bigint; isPaused: boolean; seeks: number; wake: () => void }

/** Records of one fetch at most, and milliseconds until one that failed is tried again. */
const fetched = 6
const againMs = 200

/** Times out of a thousand that a member which the group has forgotten learns of it by a fetch. */
const learns = 300

/** A member of the group, as KafkaJS would be one. */
export class Member implements GroupMember {
	readonly silentMs = 0
	readonly #parts: MemberOptions & { world: World; process: Process; broker: Broker }
	#readings = new Map<string, Reading>()
	#topics: readonly string[]
	#generation = 0
	#isStopped = false

	constructor(parts: MemberOptions & { world: World; process: Process; broker: Broker }) {
		this.#parts = parts
		this.#topics = parts.topics
	}

	get topics(): readonly string[] {
		return this.#topics
	}

	get isSilent(): boolean {
		const { world, process } = this.#parts
		return this.#isStopped || !process.isAlive || process.hungUntil > world.now
	}

	async start(): Promise<void> {
		const { world, process, broker } = this.#parts
		await world.call(process, 'join the group', () => broker.join(this))
	}

	async add(topics: string[]): Promise<boolean> {
		const { world, process, broker } = this.#parts
		return await world.call(process, 'join the group', () => {
			if (!topics.every((topic) => broker.has(topic))) return false
			this.#topics = [...this.#topics, ...topics]
			broker.join(this)
			return true
		})
	}

	/** What the group gives to it, of a generation. */
	give(generation: number, lanes: Lane[]): void {
		const { world, process, onFailure } = this.#parts
		const heard = world.call(process, `hear of generation ${generation}`, () => this.#take(generation, lanes))
		heard.catch(onFailure)
	}

	begin(lane: Lane, offset: bigint): void {
		const reading = this.#readings.get(keyOf(lane))
		if (!reading) return
		Object.assign(reading, { position: offset, isPaused: false, seeks: reading.seeks + 1 })
		reading.wake()
	}

	pause(lane: Lane): void {
		const reading = this.#readings.get(keyOf(lane))
		if (reading) reading.isPaused = true
	}

	resume(lane: Lane): void {
		const reading = this.#readings.get(keyOf(lane))
		if (!reading) return
		reading.isPaused = false
		reading.wake()
	}

	wake(lane: Lane): void {
		this.#readings.get(keyOf(lane))?.wake()
	}

	async commit(offsets: (Lane & GroupOffset)[]): Promise<void> {
		const { world, process, broker } = this.#parts
		const generation = this.#generation
		await world.call(process, 'tell the group', () => broker.commit(generation, offsets), { isWrite: true })
	}

	async stop(): Promise<void> {
		const { world, process, broker } = this.#parts
		this.#isStopped = true
		this.#forget()
		await world.call(process, 'leave the group', () => broker.leave(this))
	}

	#take(generation: number, lanes: Lane[]): void {
		if (this.#isStopped || generation <= this.#generation) return
		const isContinued = this.#generation > 0 && generation === this.#generation + 1
		this.#generation = generation
		this.#forget()
		const readings = lanes.map((lane) => ({ lane, position: 0n, isPaused: true, seeks: 0, wake: () => {} }))
		this.#readings = new Map(readings.map((reading) => [keyOf(reading.lane), reading]))
		this.#parts.onAssigned(lanes, isContinued)
		for (const reading of readings) this.#read(reading).catch(this.#parts.onFailure)
	}

	#forget(): void {
		const former = [...this.#readings.values()]
		this.#readings = new Map()
		for (const reading of former) reading.wake()
	}

	async #read(reading: Reading): Promise<void> {
		const { broker } = this.#parts
		while (this.#readings.get(keyOf(reading.lane)) === reading) {
			if (reading.isPaused || broker.high(reading.lane) === reading.position) {
				await new Promise<void>((resolve) => {
					reading.wake = resolve
				})
			} else await this.#fetch(reading)
		}
	}

	async #fetch(reading: Reading): Promise<void> {
		const { world, process, broker, onRecords } = this.#parts
		const { lane, seeks, position } = reading
		const asked = world.call(process, `fetch ${keyOf(lane)} from ${position}`, () => {
			if (!broker.isMember(this) && world.random.perMille(learns)) return 'forgotten' as const
			return broker.fetch(lane, position, 1 + world.random.below(fetched))
		})
		const answer = await asked.catch(() => undefined)
		if (answer === 'forgotten') return await this.#joinAnew()
		if (!answer) return await new Promise<void>((resolve) => world.clockOf(process).after(againMs, resolve))
		const { records, end } = answer
		if (this.#readings.get(keyOf(lane)) !== reading || reading.isPaused || reading.seeks !== seeks) return
		reading.position = (records.at(-1)?.offset ?? end - 1n) + 1n
		if (records.length === 0) return
		let isForgotten = false
		const beat = async () => {
			isForgotten = await world.call(process, 'beat', () => !broker.isMember(this))
			if (isForgotten) throw new ReprieveError('UNAVAILABLE', 'the group gives partitions anew', { retryable: true })
		}
		try {
			await onRecords(lane, records, { end, beat })
		} catch (error) {
			if (!isForgotten) throw error
			await this.#joinAnew()
		}
	}

	async #joinAnew(): Promise<void> {
		this.#forget()
		if (!this.#isStopped) await this.start()
	}
}

export function keyOf({ topic, partition }: Lane): string {
	return `${topic}:${partition}`
}
