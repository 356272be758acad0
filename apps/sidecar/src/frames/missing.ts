import type { FrameShare } from '@reprieve/cdc'
import { parseTableName } from '@reprieve/contracts'
import type { Vault } from '@reprieve/vault'
import type { Logger } from 'pino'
import { type Clock, systemClock } from '../clock.ts'
import { frameSource, offsetMark } from '../kafka/sources.ts'
import type { Ends, Lane } from './brokers.ts'
import { judgeShare } from './coverage.ts'
import type { Epoch } from './lineage.ts'
import { missingIncident } from './poison.ts'
import type { Records } from './records.ts'

/** Waits, in patiences, before the same is asked for again. */
const patiences = 5

export type MissingRowsOptions = {
	records: Pick<Records, 'raise'>
	vault: Vault
	epoch: Epoch
	clock?: Clock
	log: Logger
	/** Both ends of a lane; undefined without its topic. */
	ends: (lane: Lane) => Promise<Ends | undefined>
	/** Milliseconds that rows of a transaction which capture sent may stay away. */
	patienceMs: number
}

/**
 * Notices rows that are in no topic any more: capture sends a transaction after all of its rows, so that rows which are
 * neither in their table's log nor still to be read went with their records. Capture is asked to send them again.
 */
export class MissingRows {
	readonly #options: MissingRowsOptions
	/** By topic and partition: when it was asked. */
	readonly #asked = new Map<string, number>()

	constructor(options: MissingRowsOptions) {
		this.#options = options
	}

	/** Looks for shares that have been waited for. */
	async look(shares: readonly FrameShare[], waitedMs: number): Promise<void> {
		const { patienceMs, clock = systemClock, log, records } = this.#options
		if (waitedMs < patienceMs) return
		for (const { topic, partition, ...share } of shares) {
			const key = `${topic}:${partition}`
			const askedAt = this.#asked.get(key) ?? Number.NEGATIVE_INFINITY
			if (clock.now() - askedAt < patiences * patienceMs) continue
			if (await this.#mayCome({ topic, partition, ...share })) continue
			this.#asked.set(key, clock.now())
			log.warn({ topic, partition }, 'rows of a transaction that was sent are in no topic')
			await records.raise(missingIncident({ topic, partition }, share.table))
		}
	}

	/** Brokers that do not answer say nothing of what they have. */
	async #mayCome(share: FrameShare): Promise<boolean> {
		const { vault, epoch, ends } = this.#options
		const found = await ends(share).catch(() => 'unknown' as const)
		const sources = await vault.table(parseTableName(share.table)).sources()
		const place = { lineage: epoch.lineage.id, epoch: epoch.epoch }
		if (found === 'unknown' || judgeShare(sources, share, place) !== 'awaited') return true
		const read = sources.get(offsetMark(frameSource(place.lineage, place.epoch, share.partition))) ?? 0n
		return found !== undefined && found.low < found.high && read < found.high
	}
}
