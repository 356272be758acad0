import type { CaptureIncident } from '@reprieve/contracts'
import type { Vault } from '@reprieve/vault'
import type { Logger } from 'pino'
import { parkedMark } from '../kafka/sources.ts'
import type { GroupMember, Lane } from './brokers.ts'
import type { Link } from './chain.ts'
import type { HeldLane } from './held-lane.ts'
import type { ReadFrame } from './lane.ts'
import type { Epoch } from './lineage.ts'
import { missingIncident, poisonIncident } from './poison.ts'
import type { Records } from './records.ts'

export type StopsOptions = {
	records: Pick<Records, 'raise' | 'resolve'>
	vault: Vault
	epoch: Epoch
	group: Pick<GroupMember, 'begin' | 'pause'>
	log: Logger
	/** What was given to somebody else is theirs to tell of. */
	isHeld: (held: HeldLane) => boolean
}

/** What keeps lanes from being read on, holes and records that are no frames, until it is over; and who is told of it. */
export class Stops {
	readonly #options: StopsOptions
	#healed: HeldLane[] = []

	constructor(options: StopsOptions) {
		this.#options = options
	}

	/** A frame came, and this is how it follows. */
	follow(held: HeldLane, kind: Link['kind'], { frame, offset }: Pick<ReadFrame, 'frame' | 'offset'>): void {
		if (kind === 'hole') {
			const { session } = frame.header
			const { hole } = held
			if (hole?.session !== session) held.hole = { session, isRecorded: false, offset: hole?.offset ?? offset }
			held.isWhole = false
			return
		}
		if (kind === 'gap') this.#options.log.warn(held.lane, 'frames are gone that nobody will send again')
		held.hole = undefined
	}

	/** What was there is read: a hole that nothing closed is told of, and one that is closed as well. */
	async reached(held: HeldLane, end: bigint): Promise<void> {
		const { records, log, isHeld } = this.#options
		const { lane, reader, hole, partition } = held
		if (reader.next < end || !isHeld(held)) return
		if (hole && !hole.isRecorded) {
			hole.isRecorded = true
			log.warn({ ...lane, ...hole }, 'frames are missing')
			await records.raise(missingIncident(lane, partition?.label))
		} else if (!hole && !held.isWhole) {
			held.isWhole = true
			this.#healed.push(held)
		}
	}

	/** A record is no frame: reading goes on behind it when an operator said so. */
	async poison(held: HeldLane, { offset, why }: { offset: bigint; why: string }): Promise<void> {
		const { group, records, log, isHeld } = this.#options
		const { lane, reader } = held
		if (await this.#isParked(lane, offset)) return reader.skipTo(offset + 1n)
		if (!isHeld(held)) return
		held.poison = { offset, why }
		group.pause(lane)
		log.error({ ...lane, offset, why }, 'a record is no frame to archive: its partition stops there')
		await records.raise(poisonOf(held, held.poison))
	}

	/** Looks at what changes beside the records. */
	async tend(lanes: Iterable<HeldLane>): Promise<void> {
		for (const held of lanes) await this.#passParked(held)
		const healed = this.#healed
		this.#healed = []
		for (const held of healed) await this.#resolve(held)
	}

	async #passParked(held: HeldLane): Promise<void> {
		const { group, log, isHeld } = this.#options
		const { poison, lane } = held
		if (poison === undefined || !(await this.#isParked(lane, poison.offset)) || !isHeld(held)) return
		const next = poison.offset + 1n
		held.reader.skipTo(next)
		held.poison = undefined
		log.warn({ ...lane, offset: poison.offset }, 'a record was parked, reading goes on behind it')
		group.begin(lane, next)
	}

	/** What stopped the lane meanwhile stays told: only its end, read without it, says that it is over. */
	async #resolve(held: HeldLane): Promise<void> {
		const { records, log, isHeld } = this.#options
		if (!isHeld(held) || !held.isWhole || held.poison !== undefined) return
		const resolved = await records.resolve(held.lane)
		if (resolved > 0) log.info({ ...held.lane, incidents: resolved }, 'what was missing is at hand')
		if (held.poison) await records.raise(poisonOf(held, held.poison))
	}

	async #isParked({ topic, partition }: Lane, offset: bigint): Promise<boolean> {
		const { vault, epoch } = this.#options
		const place = { lineage: epoch.lineage.id, epoch: epoch.epoch }
		return (await vault.transactions.archived(parkedMark(place, { topic, partition, offset }))) !== undefined
	}
}

function poisonOf({ lane, partition }: HeldLane, { offset, why }: { offset: bigint; why: string }): CaptureIncident {
	return poisonIncident(lane, offset, { table: partition?.label, why })
}
