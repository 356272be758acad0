import type { TableBuffer, TableShare } from '../archive/buffer.ts'
import { type Clock, systemClock } from '../clock.ts'
import type { SidecarConfig } from '../config.ts'
import type { CommittedTransaction } from './transaction.ts'

/** Transactions that wait for a flush at most, whatever their size. */
const maxWaiting = 20_000

/** What a flush takes: rows and transactions of one moment. */
export type Taken<Spilled> = {
	/** Transactions that have committed, oldest first. */
	transactions: CommittedTransaction[]
	/** What each table has for them. */
	shares: TableShare<Spilled>[]
	/** Everything before this was received, and committed or empty. */
	received: bigint
	/** Whether a keepalive alone is worth a write now. */
	isKeepaliveDue: boolean
}

export type FlushLoopOptions<Spilled> = {
	config: Pick<SidecarConfig, 'lingerMs' | 'bufferBytes' | 'keepaliveMs' | 'keepaliveBytes'>
	clock?: Clock
	buffers: ReadonlyMap<string, TableBuffer<Spilled>>
	/** Everything before this counts as received, and as settled. */
	received: bigint
	flush: (taken: Taken<Spilled>) => Promise<void>
	/** Called once, with what ended the loop. */
	onFailure: (error: unknown) => void
}

/** Decides when what capture gathered is flushed: one flush at a time, in order, urgent transactions at once. */
export class FlushLoop<Spilled> {
	readonly #options: FlushLoopOptions<Spilled>
	readonly #clock: Clock
	#waiting: CommittedTransaction[] = []
	#received: bigint
	#settled: bigint
	#settledAt: number
	#inFlightBytes = 0
	#turn: Promise<void> | undefined
	#linger: (() => void) | undefined
	#failure: { error: unknown } | undefined
	#isStopped = false

	constructor(options: FlushLoopOptions<Spilled>) {
		this.#options = options
		this.#clock = options.clock ?? systemClock
		this.#received = options.received
		this.#settled = options.received
		this.#settledAt = this.#clock.now()
	}

	get received(): bigint {
		return this.#received
	}

	/** Everything before this is where the flushes take it. */
	get settled(): bigint {
		return this.#settled
	}

	get hasEnded(): boolean {
		return this.#isStopped || this.#failure !== undefined
	}

	add(transaction: CommittedTransaction): void {
		if (transaction.archived || transaction.incidents.length > 0) this.#waiting.push(transaction)
		this.#receive(transaction.end)
		if (transaction.isUrgent) void this.#flush()
		else if (this.#waiting.length > 0)
			this.#linger ??= this.#clock.after(this.#options.config.lingerMs, () => void this.#flush())
	}

	keepalive(position: bigint): void {
		this.#receive(position)
		if (this.#waiting.length === 0 && this.#isKeepaliveDue()) void this.#flush()
	}

	/** Said by a flush: everything before this is where it takes it. */
	settle(position: bigint): void {
		this.#settled = position
		this.#settledAt = this.#clock.now()
	}

	relief(): Promise<void> | undefined {
		const { bufferBytes } = this.#options.config
		if (this.#bufferedBytes() <= bufferBytes && this.#waiting.length < maxWaiting) return undefined
		return this.#relieve()
	}

	/** Resolves when all that waited is flushed. Throws what ended the loop. */
	async drain(): Promise<void> {
		while (this.#waiting.length > 0 || this.#turn !== undefined) {
			// Only the turn of another is waited for: two that drain would take turns with nothing for ever.
			await (this.#waiting.length > 0 ? this.#flush() : this.#turn)
			if (this.#failure) throw this.#failure.error
			if (this.#isStopped) return
		}
	}

	async stop(): Promise<void> {
		this.#isStopped = true
		this.#linger?.()
		await this.#turn
	}

	/** Does other work in turn with the flushes. Never throws: a failure ends the loop. */
	async inTurn(work: () => Promise<void>): Promise<void> {
		// Another may take the turn that this one waited for: then it waits again, or what it brings stays.
		while (this.#turn !== undefined) await this.#turn
		if (this.hasEnded) return
		this.#turn = work().catch((error) => {
			this.#failure = { error }
			this.#options.onFailure(error)
		})
		await this.#turn
		this.#turn = undefined
	}

	/** Committed rows go by a flush, those of the transaction under way are set aside. */
	async #relieve(): Promise<void> {
		await this.drain()
		if (this.#bufferedBytes() <= this.#options.config.bufferBytes) return
		for (const buffer of this.#options.buffers.values()) await buffer.spill()
	}

	#isKeepaliveDue(): boolean {
		const { keepaliveMs, keepaliveBytes } = this.#options.config
		const heldBack = this.#received - this.#settled
		return heldBack > BigInt(keepaliveBytes) && this.#clock.now() - this.#settledAt >= keepaliveMs
	}

	#receive(position: bigint): void {
		if (position > this.#received) this.#received = position
	}

	#bufferedBytes(): number {
		let bytes = this.#inFlightBytes
		for (const buffer of this.#options.buffers.values()) bytes += buffer.bytes
		return bytes
	}

	async #flush(): Promise<void> {
		await this.inTurn(async () => {
			this.#linger?.()
			this.#linger = undefined
			try {
				await this.#options.flush(this.#take())
			} finally {
				this.#inFlightBytes = 0
			}
		})
	}

	/** Synchronous: rows and transactions are of the same moment. */
	#take(): Taken<Spilled> {
		const buffers = [...this.#options.buffers.values()]
		const bytes = () => buffers.reduce((sum, buffer) => sum + buffer.bytes, 0)
		const before = bytes()
		const transactions = this.#waiting
		const shares = transactions.length > 0 ? buffers.map((buffer) => buffer.take()) : []
		this.#inFlightBytes = before - bytes()
		this.#waiting = []
		return { transactions, shares, received: this.#received, isKeepaliveDue: this.#isKeepaliveDue() }
	}
}
