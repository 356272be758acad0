import type { GroupOffset } from './opening.ts'

/** One partition of one topic. */
export type Lane = { topic: string; partition: number }

/** A record as it lies in its partition. */
export type LaneRecord = { offset: bigint; value: Uint8Array | null }

/** The first offset of a partition that is still there, and the one behind its last. */
export type Ends = { low: bigint; high: bigint }

export type MemberOptions = {
	topics: string[]
	/**
	 * Other partitions than before, or the same again: reading waits until each is {@link GroupMember.begin | begun}. Those
	 * of them that it had just before nobody else has had since, where `isContinued`.
	 */
	onAssigned: (lanes: Lane[], isContinued: boolean) => void
	/** Records in order; the next ones come after it has resolved. `beat` is to be called while that takes long. */
	onRecords: (lane: Lane, records: LaneRecord[], batch: { end: bigint; beat: () => Promise<void> }) => Promise<void>
	/** Called once, with what ended the member. */
	onFailure: (error: unknown) => void
}

/** A member of the group of archivers. It never moves by the group's offsets, but where it is told to begin. */
export interface GroupMember {
	/** Milliseconds since anything was asked of the brokers with success. */
	readonly silentMs: number
	start(): Promise<void>
	/**
	 * Reads these topics as well: the group gives partitions anew, and this member stays in it meanwhile. Answers false, with
	 * nothing changed, where a broker does not know one of them: not yet, or not any more.
	 */
	add(topics: string[]): Promise<boolean>
	/** Reads a partition from an offset on. */
	begin(lane: Lane, offset: bigint): void
	pause(lane: Lane): void
	resume(lane: Lane): void
	/** Says in the group how far everything is durable; nothing depends on it. */
	commit(offsets: (Lane & { offset: bigint; metadata: string })[]): Promise<void>
	stop(): Promise<void>
}

/** What an archiver asks of the brokers. */
export interface Brokers {
	/** Topics of a prefix that may have frames, in order, with how many partitions each has. */
	topics(prefix: string): Promise<ReadonlyMap<string, number>>
	/** Both ends of each partition of a topic that is there. */
	ends(topic: string): Promise<ReadonlyMap<number, Ends>>
	/** What the group remembers of every partition. */
	offsets(): Promise<(lane: Lane) => GroupOffset | undefined>
	/** Makes a member of the group, which is yet to start. */
	member(options: MemberOptions): GroupMember
}
