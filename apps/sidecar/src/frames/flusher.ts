import type { Logger } from 'pino'
import { type Clock, systemClock } from '../clock.ts'
import type { SidecarConfig } from '../config.ts'
import { writeShares } from './flush.ts'
import type { PartitionShare, TablePartition } from './partition.ts'
import { joinSpans } from './rows.ts'

/** What there is to flush at the moment. */
type Holdings = {
	/** Bytes of records in memory. */
	readonly bytes: number
	readonly partitions: Iterable<TablePartition>
	/** Takes every whole share, all of the same moment. */
	take(): PartitionShare[]
}

export type FlusherOptions = {
	config: Pick<SidecarConfig, 'lingerMs' | 'bufferBytes'>
	clock?: Clock
	log: Logger
	holdings: () => Holdings
	/** A range is about to be left out for good. */
	onGap: (share: PartitionShare) => Promise<void>
	/** A share is in its table's log. */
	onCommitted: (share: PartitionShare) => void
	/** Called once, with what ended it. */
	onFailure: (error: unknown) => void
}

/** Milliseconds between signs of life while reading waits for memory. */
const beatMs = 500

/** Takes whole shares to the vault, one flush at a time, and keeps memory bounded. */
export class Flusher {
	readonly #options: FlusherOptions
	readonly #clock: Clock
	#flushing: Promise<void> | undefined
	#relieving: Promise<void> | undefined
	#linger: (() => void) | undefined
	#inFlightBytes = 0
	#failure: { error: unknown } | undefined
	#isStopped = false

	constructor(options: FlusherOptions) {
		this.#options = options
		this.#clock = options.clock ?? systemClock
	}

	/** A flush is under way. */
	get isBusy(): boolean {
		return this.#flushing !== undefined
	}

	/** Rows of shares that are not whole are being written ahead: nothing may be added to them meanwhile. */
	get isRelieving(): boolean {
		return this.#relieving !== undefined
	}

	/** Resolves when they are written. */
	async relieved(): Promise<void> {
		await this.#relieving
	}

	/** Flushes after the linger. */
	soon(): void {
		this.#linger ??= this.#clock.after(this.#options.config.lingerMs, () => void this.now())
	}

	/** Lets a running flush end, then does one more. Never throws: a failure goes to `onFailure`. */
	async now(): Promise<void> {
		while (this.#flushing !== undefined) await this.#flushing
		if (this.#failure || this.#isStopped) return
		this.#flushing = this.#flush()
		await this.#flushing
		this.#flushing = undefined
	}

	/** Resolves when memory allows to read on; calls `beat` meanwhile. */
	async room(beat: () => Promise<void>): Promise<void> {
		const isRoomy = () => this.#options.holdings().bytes + this.#inFlightBytes <= this.#options.config.bufferBytes
		if (this.#relieving === undefined && isRoomy()) return
		this.#relieving ??= this.#relieve().finally(() => {
			this.#relieving = undefined
		})
		const relieved = this.#relieving.then(() => true)
		while (!(await Promise.race([relieved, this.#pause()]))) await beat()
	}

	/** Resolves when what is being written at the moment is written. */
	async settled(): Promise<void> {
		await this.#flushing
		await this.#relieving
	}

	/** Flushes what is whole, and ends. */
	async stop(): Promise<void> {
		await this.now()
		this.#isStopped = true
		this.#linger?.()
		await this.settled()
	}

	#pause(): Promise<false> {
		return new Promise((resolve) => this.#clock.after(beatMs, () => resolve(false)))
	}

	async #flush(): Promise<void> {
		this.#linger?.()
		this.#linger = undefined
		const { holdings, log, onGap, onCommitted, onFailure } = this.#options
		const held = holdings()
		const before = held.bytes
		const shares = held.take()
		if (shares.length === 0) return
		this.#inFlightBytes = before - held.bytes
		try {
			await writeShares(shares, { log, onGap, onCommitted })
		} catch (error) {
			this.#failure = { error }
			onFailure(error)
		} finally {
			this.#inFlightBytes = 0
		}
	}

	/** Whole shares go by a flush, the rows of others into segments that nothing names yet. */
	async #relieve(): Promise<void> {
		await this.now()
		const held = this.#options.holdings()
		if (this.#failure || this.#isStopped || held.bytes <= this.#options.config.bufferBytes) return
		try {
			for (const partition of held.partitions) {
				for (const rows of joinSpans(partition.takeOpen())) partition.putSegments(await partition.table.write(rows))
			}
		} catch (error) {
			this.#failure = { error }
			this.#options.onFailure(error)
		}
	}
}
