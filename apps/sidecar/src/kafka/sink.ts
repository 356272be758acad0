import type { SentTransaction } from '@reprieve/cdc'
import type { Logger } from 'pino'
import type { TableBuffer, TableShare } from '../archive/buffer.ts'
import type { Standpoint } from '../archive/record.ts'
import { FlushLoop, type Taken } from '../capture/flush-loop.ts'
import type { ChangeSink } from '../capture/sink.ts'
import type { CommittedTransaction } from '../capture/transaction.ts'
import { type Clock, systemClock } from '../clock.ts'
import type { SidecarConfig } from '../config.ts'
import type { Lease } from '../lineage/lease.ts'
import type { Releases } from './releases.ts'
import type { Sender } from './sender.ts'
import type { Spool, SpooledFrame } from './spool.ts'
import type { FrameWriter } from './writer.ts'

export type KafkaSinkOptions = {
	config: Pick<SidecarConfig, 'lingerMs' | 'bufferBytes' | 'keepaliveMs' | 'keepaliveBytes'>
	clock?: Clock
	lineage: string
	/** Position that the session begins at. */
	start: bigint
	buffers: ReadonlyMap<string, TableBuffer<SpooledFrame>>
	lease: Pick<Lease, 'checkTaken'>
	writer: FrameWriter
	sender: Pick<Sender, 'send' | 'flush'>
	spool: Pick<Spool, 'get' | 'clear'>
	releases: Releases
	/** Watches of the session, ended with the sink. */
	timers: NodeJS.Timeout[]
	log: Logger
	/** Called once, with what ended the sink. */
	onFailure: (error: unknown) => void
	/** Called after each flush with the position that everything before was sent. */
	onSent: (received: bigint) => void
}

/** Takes committed transactions to Kafka: first the frames of their rows, then, when all are acknowledged, what names them. */
export class KafkaSink implements ChangeSink {
	readonly #options: KafkaSinkOptions
	readonly #clock: Clock
	readonly #loop: FlushLoop<SpooledFrame>

	constructor(options: KafkaSinkOptions) {
		const { config, clock = systemClock, buffers, start, onFailure } = options
		this.#options = options
		this.#clock = clock
		this.#loop = new FlushLoop({
			...{ config, clock, buffers, received: start, onFailure },
			flush: (taken) => this.#flush(taken),
		})
		options.releases.watch((work) => this.#loop.inTurn(work))
	}

	get standpoint(): Omit<Standpoint, 'state'> {
		const { lineage, releases } = this.#options
		return { lineage, received: this.#loop.received, acknowledged: releases.acknowledged }
	}

	add(transaction: CommittedTransaction): void {
		this.#loop.add(transaction)
	}

	/** Sent when it is worth a record. */
	keepalive(position: bigint): void {
		this.#loop.keepalive(position)
	}

	relief(): Promise<void> | undefined {
		return this.#loop.relief()
	}

	drain(): Promise<void> {
		return this.#loop.drain()
	}

	async stop(): Promise<void> {
		this.#options.releases.stop()
		for (const timer of this.#options.timers) clearInterval(timer)
		await this.#loop.stop()
	}

	/** Sends the epoch's last word, behind everything received. */
	async finish(): Promise<void> {
		await this.drain()
		await this.#sendTransactions([], { received: this.#loop.received, isFinal: true })
	}

	async #flush({ transactions, shares, received, isKeepaliveDue }: Taken<SpooledFrame>): Promise<void> {
		if (transactions.length === 0 && !isKeepaliveDue) return
		const started = this.#clock.now()
		const isUrgent = transactions.some((transaction) => transaction.isUrgent)
		// Frames of two captures do no harm: they are sent on while the vault, which holds the lease, cannot be reached.
		this.#options.lease.checkTaken()
		await this.#sendRows(shares, isUrgent)
		const sent = transactions.map((transaction) => this.#sentOf(transaction))
		await this.#sendTransactions(sent, { received, isFinal: false })
		if (transactions.length === 0) return
		const rows = shares.reduce((sum, share) => sum + share.rows.reduce((count, version) => count + version.count, 0), 0)
		const ms = Math.round(this.#clock.now() - started)
		this.#options.log.info({ transactions: transactions.length, rows, ms }, 'sent')
	}

	async #sendRows(shares: readonly TableShare<SpooledFrame>[], isUrgent: boolean): Promise<void> {
		const { writer, sender, spool } = this.#options
		for (const { spilled, rows } of shares) {
			for (const frame of spilled) await sender.send(await spool.get(frame))
			for (const frame of writer.rows(rows, { isUrgent, isSettled: true })) await sender.send(frame)
		}
		for (const frame of writer.complete(isUrgent)) await sender.send(frame)
		await sender.flush()
		await spool.clear()
	}

	async #sendTransactions(sent: SentTransaction[], word: { received: bigint; isFinal: boolean }): Promise<void> {
		const { writer, sender, lease, releases } = this.#options
		lease.checkTaken()
		for (const frame of writer.transactions(sent, word)) await sender.send(frame)
		await sender.flush()
		this.#loop.settle(word.received)
		await releases.sent(word.received)
		this.#options.onSent(word.received)
	}

	#sentOf({ archived, position, end, xid, committedAt, ...rest }: CommittedTransaction): SentTransaction {
		const shares = this.#options.writer.takeShares(position)
		return { ...(archived && { archived }), position, end, xid, committedAt, ...rest, shares }
	}
}
