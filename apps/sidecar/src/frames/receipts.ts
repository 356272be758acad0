import type { FrameShare } from '@reprieve/cdc'
import { parseTableName } from '@reprieve/contracts'
import type { Vault } from '@reprieve/vault'
import type { Logger } from 'pino'
import { type Clock, systemClock } from '../clock.ts'
import { drainedMark, offsetMark, transactionsSource } from '../kafka/sources.ts'
import { judgeShare } from './coverage.ts'
import type { Epoch } from './lineage.ts'
import { overtakenBy } from './overtaken.ts'
import type { ReceiptQueue, Receipts, ShareState } from './queue.ts'
import type { Records } from './records.ts'

/** Milliseconds between looks at the logs of other instances' tables: the first, and the most. */
const leastPollMs = 20
const mostPollMs = 250

export type ReceiptOptions = {
	records: Pick<Records, 'receipts' | 'copied' | 'lose'>
	vault: Vault
	epoch: Epoch
	topic: string
	queue: ReceiptQueue
	clock?: Clock
	log: Logger
	/** Somebody has waited so long for rows of the transaction at the head. */
	onAwaited: (shares: FrameShare[], waitedMs: number) => Promise<void>
	/** The queue is shorter than it was. */
	onAppended: () => void
	/** Everything of the epoch is in the vault. */
	onDrained: () => void
	/** Called once, with what ended it. */
	onFailure: (error: unknown) => void
}

/** Gives transactions their receipts, in order, once the logs of all their tables have their rows. */
export class ReceiptWriter {
	readonly #options: ReceiptOptions
	readonly #clock: Clock
	/** By table: the sources of its log, as far as they are known. */
	readonly #sources = new Map<string, Map<string, bigint>>()
	#woken = Promise.withResolvers<void>()
	#running: Promise<void> | undefined
	#isStopped = false

	constructor(options: ReceiptOptions) {
		this.#options = options
		this.#clock = options.clock ?? systemClock
	}

	start(): void {
		this.#running = this.#run().catch((error) => this.#options.onFailure(error))
	}

	/** Something may be due. */
	wake(): void {
		this.#woken.resolve()
	}

	/** An entry of this instance is in a table's log. */
	committed(table: string, entries: { source: string; position: bigint }[]): void {
		const sources = this.#sources.get(table)
		if (sources) for (const { source, position } of entries) sources.set(source, position)
		this.wake()
	}

	/** Lets a receipt under way end and begins no more. */
	async stop(): Promise<void> {
		this.#isStopped = true
		this.wake()
		await this.#running
	}

	async #run(): Promise<void> {
		let [pollMs, waitedFrom] = [leastPollMs, this.#clock.now()]
		while (!this.#isStopped) {
			const { queue } = this.#options
			const receipts = queue.take((share) => this.#stateOf(share))
			if (receipts) {
				await this.#append(receipts)
				;[pollMs, waitedFrom] = [leastPollMs, this.#clock.now()]
				continue
			}
			const awaited = this.#awaited()
			if (awaited.length === 0) waitedFrom = this.#clock.now()
			else if (await this.#look(awaited)) continue
			else await this.#options.onAwaited(awaited, this.#clock.now() - waitedFrom)
			await this.#sleep(awaited.length > 0 ? pollMs : undefined)
			pollMs = Math.min(pollMs * 2, mostPollMs)
		}
	}

	#stateOf(share: FrameShare): ShareState {
		const { lineage, epoch } = this.#options.epoch
		return judgeShare(this.#sources.get(share.table), share, { lineage: lineage.id, epoch })
	}

	#awaited(): FrameShare[] {
		return this.#options.queue.head?.shares.filter((share) => this.#stateOf(share) === 'awaited') ?? []
	}

	/** Reads the logs of what is awaited; answers whether something has come. */
	async #look(awaited: FrameShare[]): Promise<boolean> {
		for (const table of new Set(awaited.map((share) => share.table))) {
			const sources = await this.#options.vault.table(parseTableName(table)).sources()
			this.#sources.set(table, new Map(sources))
		}
		return awaited.some((share) => this.#stateOf(share) !== 'awaited')
	}

	async #append(receipts: Receipts): Promise<void> {
		const { records, vault, epoch, topic, log, onAppended, onDrained } = this.#options
		const { position, after, transactions, gaps, isFinal } = receipts
		const lineage = epoch.lineage.id
		const started = this.#clock.now()
		// What must not go unseen goes first: the frame that says it is not read again once the vault has the receipt.
		for (const range of gaps) await records.lose({ lineage, what: topic, range })
		const troubled = transactions.filter(({ incidents, gaps }) => incidents.length + gaps.length > 0)
		const troubles = troubled.map((transaction) => ({ ...transaction, archived: undefined }))
		if (troubles.length > 0) await records.receipts(troubles, { lineage, archived: after })
		const archived = transactions.flatMap((transaction) => transaction.archived ?? [])
		const resume = { source: offsetMark(transactionsSource(lineage, epoch.epoch)), position: receipts.resume }
		const drained = isFinal ? [{ source: drainedMark(lineage, epoch.epoch), position }] : []
		if (position > after) {
			const entry = { source: lineage, position, after, transactions: archived, marks: [resume, ...drained] }
			const { outcome } = await vault.transactions.append(entry)
			if (outcome !== 'committed') throw overtakenBy(topic)
		} else {
			for (const mark of drained) await vault.transactions.append({ ...mark, transactions: [] })
		}
		await records.receipts(transactions, { lineage, archived: position })
		if (archived.length > 0) {
			log.info({ transactions: archived.length, ms: Math.round(this.#clock.now() - started) }, 'receipted')
		}
		onAppended()
		if (isFinal) onDrained()
	}

	async #sleep(ms: number | undefined): Promise<void> {
		const { promise: late, resolve } = Promise.withResolvers<void>()
		const callOff = ms === undefined ? undefined : this.#clock.after(ms, resolve)
		await Promise.race([this.#woken.promise, late])
		callOff?.()
		this.#woken = Promise.withResolvers()
	}
}
