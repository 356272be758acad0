import type { Control } from '@reprieve/control'
import type { Vault } from '@reprieve/vault'
import type { Logger } from 'pino'
import type { CommittedTransaction } from '../capture/transaction.ts'
import type { SidecarConfig } from '../config.ts'
import type { Lease } from '../lineage/lease.ts'
import type { NonceChain } from '../lineage/nonce.ts'
import { type Batch, planBatch } from './batch.ts'
import type { TableBuffer } from './buffer.ts'
import { recordArchived, type Standpoint } from './record.ts'

/** Transactions that wait for a flush at most, whatever their size. */
const maxWaiting = 20_000
/** Tables that are written at the same time. */
const tablesAtOnce = 4

export type ArchiveOptions = {
	config: SidecarConfig
	control: Control
	vault: Vault
	lineage: string
	/** Position up to which `_transactions` goes already. */
	archived: bigint
	buffers: ReadonlyMap<string, TableBuffer>
	lease: Lease
	nonces: NonceChain
	log: Logger
	acknowledge: (position: bigint) => void
	/** Called once, with what ended the archive. */
	onFailure: (error: unknown) => void
}

/** Takes committed transactions to the vault, and says what may be acknowledged. One flush at a time, in order. */
export class Archive {
	readonly #options: ArchiveOptions
	#waiting: CommittedTransaction[] = []
	#received: bigint
	#archived: bigint
	/** What may be acknowledged, and what was. */
	#durable = 0n
	#acknowledged = 0n
	#inFlightBytes = 0
	#appendedAt = performance.now()
	#acknowledgedAt = Number.NEGATIVE_INFINITY
	#flushing: Promise<void> | undefined
	#linger: NodeJS.Timeout | undefined
	#acknowledging: NodeJS.Timeout | undefined
	#failure: { error: unknown } | undefined
	#isStopped = false

	constructor(options: ArchiveOptions) {
		this.#options = options
		this.#received = options.archived
		this.#archived = options.archived
	}

	get standpoint(): Omit<Standpoint, 'state'> {
		const { lineage } = this.#options
		const acknowledged = this.#acknowledged || undefined
		return { lineage, received: this.#received, archived: this.#archived, acknowledged }
	}

	/** Takes a transaction whose COMMIT has arrived. */
	add(transaction: CommittedTransaction): void {
		if (transaction.archived || transaction.incidents.length > 0) this.#waiting.push(transaction)
		this.#receive(transaction.end)
		if (transaction.isUrgent) void this.#flush()
		else if (this.#waiting.length > 0)
			this.#linger ??= setTimeout(() => void this.#flush(), this.#options.config.lingerMs)
	}

	/** The server has sent everything before `position`: flushed when it is worth a write. Not inside a transaction. */
	keepalive(position: bigint): void {
		this.#receive(position)
		if (this.#waiting.length === 0 && this.#isKeepaliveDue()) void this.#flush()
	}

	/** Resolves when memory allows to go on; undefined when it does already. */
	relief(): Promise<void> | undefined {
		const { bufferBytes } = this.#options.config
		if (this.#bufferedBytes() <= bufferBytes && this.#waiting.length < maxWaiting) return undefined
		return this.#relieve()
	}

	/** Resolves when everything that has committed is archived. */
	async drain(): Promise<void> {
		while (this.#waiting.length > 0 || this.#flushing !== undefined) {
			await this.#flush()
			if (this.#failure) throw this.#failure.error
			if (this.#isStopped) return
		}
	}

	/** Lets a running flush end and starts no more. */
	async stop(): Promise<void> {
		this.#isStopped = true
		clearTimeout(this.#linger)
		clearTimeout(this.#acknowledging)
		await this.#flushing
	}

	/** Committed rows go by a flush, those of the transaction under way into segments that nothing names yet. */
	async #relieve(): Promise<void> {
		await this.drain()
		if (this.#bufferedBytes() <= this.#options.config.bufferBytes) return
		for (const buffer of this.#options.buffers.values()) await buffer.spill()
	}

	#receive(position: bigint): void {
		if (position > this.#received) this.#received = position
	}

	#bufferedBytes(): number {
		let bytes = this.#inFlightBytes
		for (const buffer of this.#options.buffers.values()) bytes += buffer.bytes
		return bytes
	}

	#isKeepaliveDue(): boolean {
		const { keepaliveMs, keepaliveBytes } = this.#options.config
		const heldBack = this.#received - this.#archived
		return heldBack > BigInt(keepaliveBytes) && performance.now() - this.#appendedAt >= keepaliveMs
	}

	/** Lets a running flush end, then does one more. Never throws: a failure goes to `onFailure`. */
	async #flush(): Promise<void> {
		// An acknowledgement may take the turn that this one waited for: then it waits again, or its transactions stay.
		while (this.#flushing !== undefined) await this.#flushing
		if (this.#failure || this.#isStopped) return
		this.#flushing = this.#flushOnce()
		await this.#flushing
		this.#flushing = undefined
	}

	async #flushOnce(): Promise<void> {
		clearTimeout(this.#linger)
		this.#linger = undefined
		try {
			const batch = this.#take()
			if (batch) await this.#execute(batch)
		} catch (error) {
			this.#failure = { error }
			this.#options.onFailure(error)
		} finally {
			this.#inFlightBytes = 0
		}
	}

	/** Synchronous: rows and transactions of one batch are of the same moment. */
	#take(): Batch | undefined {
		const buffers = [...this.#options.buffers.values()]
		const before = buffers.reduce((bytes, buffer) => bytes + buffer.bytes, 0)
		const batch = planBatch({
			transactions: this.#waiting,
			shares: this.#waiting.length > 0 ? buffers.map((buffer) => buffer.take()) : [],
			received: this.#received,
			archived: this.#archived,
			isKeepaliveDue: this.#isKeepaliveDue(),
		})
		this.#inFlightBytes = before - buffers.reduce((bytes, buffer) => bytes + buffer.bytes, 0)
		this.#waiting = []
		return batch
	}

	async #execute(batch: Batch): Promise<void> {
		const started = performance.now()
		const { vault, lineage, lease, control, log } = this.#options
		lease.check()
		await inParallel(batch.commit, async ({ buffer, segments, position }) => {
			for (const share of batch.write) {
				if (share.buffer === buffer) segments.push(...(await buffer.vault.write(share.rows)))
			}
			lease.check()
			await buffer.vault.commit({ source: lineage, position, segments })
			buffer.archived = position
		})
		if (batch.append) {
			await vault.transactions.append({ source: lineage, ...batch.append })
			this.#archived = batch.append.position
			this.#appendedAt = performance.now()
		}
		await recordArchived(control, batch.record, { ...this.standpoint, state: 'streaming' })
		if (batch.record.length > 0) {
			const rows = batch.write.reduce((sum, share) => sum + share.rows.count, 0)
			const ms = Math.round(performance.now() - started)
			log.info({ transactions: batch.record.length, tables: batch.commit.length, rows, ms }, 'archived')
		}
		this.#durable = batch.acknowledge
		await this.#acknowledge()
	}

	/** At most one acknowledgement per interval; the last one is never left out. */
	async #acknowledge(): Promise<void> {
		const wait = this.#acknowledgedAt + this.#options.config.acknowledgeMs - performance.now()
		if (wait > 0) {
			this.#acknowledging ??= setTimeout(() => {
				this.#acknowledging = undefined
				void this.#acknowledgeLater()
			}, wait)
			return
		}
		const position = this.#durable
		if (position <= this.#acknowledged) return
		// A process that hung may wake up here while another one goes on.
		this.#options.lease.check()
		await this.#options.nonces.advance(position)
		this.#options.acknowledge(position)
		this.#acknowledged = position
		this.#acknowledgedAt = performance.now()
	}

	/** Takes its turn among the flushes, so that nonces advance in order. */
	async #acknowledgeLater(): Promise<void> {
		while (this.#flushing !== undefined) await this.#flushing
		if (this.#isStopped || this.#failure) return
		this.#flushing = this.#acknowledge().catch((error) => {
			this.#failure = { error }
			this.#options.onFailure(error)
		})
		await this.#flushing
		this.#flushing = undefined
	}
}

async function inParallel<T>(items: T[], work: (item: T) => Promise<void>): Promise<void> {
	const queue = [...items]
	const worker = async () => {
		for (let item = queue.shift(); item !== undefined; item = queue.shift()) await work(item)
	}
	await Promise.all(Array.from({ length: Math.min(tablesAtOnce, items.length) }, worker))
}
