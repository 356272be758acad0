import type { Vault } from '@reprieve/vault'
import { Acknowledgement } from '../lineage/acknowledge.ts'
import type { Lease } from '../lineage/lease.ts'
import type { NonceChain } from '../lineage/nonce.ts'

export type ReleasesOptions = {
	vault: Vault
	lineage: string
	/** What the vault has at the start. */
	archived: bigint
	/** Milliseconds between looks at the vault, and between acknowledgements. */
	everyMs: number
	lease: Lease
	nonces: NonceChain
	acknowledge: (position: bigint) => void
	/** Whether the brokers alone may release the log now: the operator said so, and the cluster is replicated. */
	isBrokerTrusted: () => boolean
}

/**
 * Says what the server may forget: what the vault has, or, where the brokers are trusted, what they acknowledged. The
 * nonce names the vault's newest commit in either case.
 */
export class Releases {
	readonly #options: ReleasesOptions
	#acknowledgement: Acknowledgement | undefined
	#archived: bigint
	#sent = 0n
	#timer: NodeJS.Timeout | undefined

	constructor(options: ReleasesOptions) {
		this.#options = options
		this.#archived = options.archived
	}

	get acknowledged(): bigint | undefined {
		return this.#acknowledgement?.position
	}

	/** Looks at the vault at intervals, in turn with the flushes. */
	watch(inTurn: (work: () => Promise<void>) => Promise<void>): void {
		const { everyMs, lease, nonces, acknowledge } = this.#options
		this.#acknowledgement = new Acknowledgement({
			...{ everyMs, lease, inTurn, acknowledge },
			nonces: { advance: async () => await nonces.advance(this.#archived) },
		})
		let isBusy = false
		this.#timer = setInterval(
			() => {
				if (isBusy) return
				isBusy = true
				void inTurn(() => this.#look()).finally(() => {
					isBusy = false
				})
			},
			Math.max(50, everyMs),
		)
	}

	/** Everything before `position` is in Kafka. Called in turn. */
	async sent(position: bigint): Promise<void> {
		this.#sent = position
		if (this.#options.isBrokerTrusted()) await this.#release()
	}

	stop(): void {
		clearInterval(this.#timer)
		this.#acknowledgement?.stop()
	}

	async #look(): Promise<void> {
		const { vault, lineage } = this.#options
		this.#archived = (await vault.transactions.archived(lineage)) ?? this.#archived
		await this.#release()
	}

	async #release(): Promise<void> {
		const position = this.#options.isBrokerTrusted() && this.#sent > this.#archived ? this.#sent : this.#archived
		if (position > (this.acknowledged ?? 0n)) await this.#acknowledgement?.advance(position)
	}
}
