import type { Vault } from '@reprieve/vault'
import type { Logger } from 'pino'
import { type Clock, systemClock } from '../clock.ts'
import { Acknowledgement } from '../lineage/acknowledge.ts'
import type { Lease } from '../lineage/lease.ts'
import type { NonceChain } from '../lineage/nonce.ts'
import { isVaultAway } from '../vault-away.ts'

export type ReleasesOptions = {
	vault: Vault
	lineage: string
	/** What the vault has at the start. */
	archived: bigint
	/** Milliseconds between looks at the vault, and between acknowledgements. */
	everyMs: number
	clock?: Clock
	lease: Pick<Lease, 'isHeld' | 'checkTaken'>
	nonces: Pick<NonceChain, 'advance'>
	acknowledge: (position: bigint) => void
	/** Whether the brokers alone may release the log now: the operator said so, and the cluster is replicated. */
	isBrokerTrusted: () => boolean
	log: Logger
}

/**
 * Says what the server may forget: what the vault has, or, where the brokers are trusted, what they acknowledged. The
 * nonce names the vault's newest commit in either case; while the vault cannot be reached, the one that it has stands.
 */
export class Releases {
	readonly #options: ReleasesOptions
	#acknowledgement: Acknowledgement | undefined
	#archived: bigint
	/** What the newest nonce names. */
	#named: bigint | undefined
	#isVaultAway = false
	#sent = 0n
	#end: (() => void) | undefined

	constructor(options: ReleasesOptions) {
		this.#options = options
		this.#archived = options.archived
	}

	get acknowledged(): bigint | undefined {
		return this.#acknowledgement?.position
	}

	/** Looks at the vault at intervals, in turn with the flushes. */
	watch(inTurn: (work: () => Promise<void>) => Promise<void>): void {
		const { everyMs, clock = systemClock, lease, acknowledge } = this.#options
		this.#acknowledgement = new Acknowledgement({
			...{ everyMs, clock, inTurn, acknowledge },
			lease: { check: async () => lease.checkTaken() },
			nonces: { advance: () => this.#name() },
		})
		let isBusy = false
		this.#end = clock.every(Math.max(50, everyMs), () => {
			if (isBusy) return
			isBusy = true
			void inTurn(() => this.#look()).finally(() => {
				isBusy = false
			})
		})
	}

	/** Everything before `position` is in Kafka. Called in turn. */
	async sent(position: bigint): Promise<void> {
		this.#sent = position
		if (this.#options.isBrokerTrusted()) await this.#release()
	}

	stop(): void {
		this.#end?.()
		this.#acknowledgement?.stop()
	}

	async #look(): Promise<void> {
		const { vault, lineage, log } = this.#options
		try {
			this.#archived = (await vault.transactions.archived(lineage)) ?? this.#archived
			this.#isVaultAway = false
		} catch (error) {
			if (!isVaultAway(error)) throw error
			if (!this.#isVaultAway) log.warn({ err: error }, 'the vault cannot be asked how far it is; frames are sent on')
			this.#isVaultAway = true
		}
		await this.#release()
	}

	async #name(): Promise<void> {
		if (this.#named === this.#archived) return
		const archived = this.#archived
		await this.#options.nonces.advance(archived)
		this.#named = archived
	}

	/** A nonce needs the lease: one that lapsed while the vault was away is waited for. */
	async #release(): Promise<void> {
		const { lease } = this.#options
		if (this.#named !== this.#archived && !lease.isHeld()) return lease.checkTaken()
		const position = this.#options.isBrokerTrusted() && this.#sent > this.#archived ? this.#sent : this.#archived
		if (position > (this.acknowledged ?? 0n)) await this.#acknowledgement?.advance(position)
	}
}
