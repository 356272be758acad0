import { type Branch, branchSource, type PendingSegment, type Vault } from '@reprieve/vault'
import type { Logger } from 'pino'
import { FlushLoop, type Taken } from '../capture/flush-loop.ts'
import type { ChangeSink } from '../capture/sink.ts'
import type { CommittedTransaction } from '../capture/transaction.ts'
import { type Clock, systemClock } from '../clock.ts'
import type { SidecarConfig } from '../config.ts'
import { Acknowledgement } from '../lineage/acknowledge.ts'
import type { Lease } from '../lineage/lease.ts'
import type { NonceChain } from '../lineage/nonce.ts'
import { type Batch, planBatch } from './batch.ts'
import type { TableBuffer } from './buffer.ts'
import type { Standpoint } from './record.ts'

/** Tables that are written at the same time. */
const tablesAtOnce = 4

type ArchiveConfig = Pick<
	SidecarConfig,
	'lingerMs' | 'bufferBytes' | 'acknowledgeMs' | 'keepaliveMs' | 'keepaliveBytes'
>

export type ArchiveOptions = {
	config: ArchiveConfig
	clock?: Clock
	/** Copies receipts to where the gate reads them, with what capture found wrong. */
	record: (transactions: CommittedTransaction[], standpoint: Omit<Standpoint, 'state'>) => Promise<void>
	vault: Vault
	branch: Branch
	/** Position up to which `_transactions` goes already. */
	archived: bigint
	buffers: ReadonlyMap<string, TableBuffer>
	lease: Pick<Lease, 'check'>
	nonces: Pick<NonceChain, 'advance'>
	log: Logger
	acknowledge: (position: bigint) => void
	/** Called once, with what ended the archive. */
	onFailure: (error: unknown) => void
}

/** Takes committed transactions to the vault, and says what may be acknowledged. */
export class Archive implements ChangeSink {
	readonly #options: ArchiveOptions
	readonly #clock: Clock
	readonly #loop: FlushLoop<PendingSegment>
	readonly #acknowledgement: Acknowledgement

	constructor(options: ArchiveOptions) {
		const { config, clock = systemClock, lease, nonces, acknowledge, buffers, archived, onFailure } = options
		this.#options = options
		this.#clock = clock
		this.#loop = new FlushLoop({
			...{ config, clock, buffers, received: archived, onFailure },
			flush: (taken) => this.#flush(taken),
		})
		this.#acknowledgement = new Acknowledgement({
			...{ everyMs: config.acknowledgeMs, clock, lease, nonces, acknowledge },
			inTurn: (work) => this.#loop.inTurn(work),
		})
	}

	get standpoint(): Omit<Standpoint, 'state'> {
		const { lineage } = this.#options.branch
		return {
			lineage,
			received: this.#loop.received,
			archived: this.#loop.settled,
			acknowledged: this.#acknowledgement.position,
		}
	}

	add(transaction: CommittedTransaction): void {
		this.#loop.add(transaction)
	}

	/** Flushed when it is worth a write. */
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
		this.#acknowledgement.stop()
		await this.#loop.stop()
	}

	async #flush(taken: Taken<PendingSegment>): Promise<void> {
		const batch = planBatch({ ...taken, archived: this.#loop.settled })
		if (batch) await this.#execute(batch)
	}

	async #execute(batch: Batch): Promise<void> {
		const started = this.#clock.now()
		const { vault, branch, lease, record, log } = this.#options
		const source = branchSource(branch)
		await lease.check()
		await inParallel(batch.commit, async ({ buffer, segments, position }) => {
			for (const share of batch.write) {
				if (share.buffer === buffer) segments.push(...(await buffer.vault.write(share.rows)))
			}
			await lease.check()
			await buffer.vault.commit({ source, position, segments })
			buffer.archived = position
		})
		if (batch.append) {
			await vault.transactions.append({ source, lineage: branch.lineage, ...batch.append })
			this.#loop.settle(batch.append.position)
		}
		await record(batch.record, this.standpoint)
		if (batch.record.length > 0) {
			const rows = batch.write.reduce((sum, share) => sum + share.rows.count, 0)
			const ms = Math.round(this.#clock.now() - started)
			log.info({ transactions: batch.record.length, tables: batch.commit.length, rows, ms }, 'archived')
		}
		await this.#acknowledgement.advance(batch.acknowledge)
	}
}

async function inParallel<T>(items: T[], work: (item: T) => Promise<void>): Promise<void> {
	const queue = [...items]
	const worker = async () => {
		for (let item = queue.shift(); item !== undefined; item = queue.shift()) await work(item)
	}
	await Promise.all(Array.from({ length: Math.min(tablesAtOnce, items.length) }, worker))
}
