import { type Clock, systemClock } from '../clock.ts'
import type { Lease } from './lease.ts'
import type { NonceChain } from './nonce.ts'

export type AcknowledgementOptions = {
	/** Milliseconds between two of them. */
	everyMs: number
	clock?: Clock
	/** A process that hung may wake up while another one goes on: checked before each. */
	lease: Pick<Lease, 'check'>
	nonces: Pick<NonceChain, 'advance'>
	/** Lets the server forget everything before the position. */
	acknowledge: (position: bigint) => void
	/** Does what is put off in turn with the flushes, so that nonces advance in order. */
	inTurn: (work: () => Promise<void>) => Promise<void>
}

/** Tells the server what is durable, behind a nonce, at most once per interval; the last one is never left out. */
export class Acknowledgement {
	readonly #options: AcknowledgementOptions
	#durable = 0n
	#acknowledged = 0n
	#acknowledgedAt = Number.NEGATIVE_INFINITY
	#callOff: (() => void) | undefined

	constructor(options: AcknowledgementOptions) {
		this.#options = options
	}

	/** The newest acknowledged position; undefined before the first. */
	get position(): bigint | undefined {
		return this.#acknowledged || undefined
	}

	/** Everything before `position` is durable. Called in turn. */
	async advance(position: bigint): Promise<void> {
		this.#durable = position
		await this.#acknowledge()
	}

	stop(): void {
		this.#callOff?.()
	}

	async #acknowledge(): Promise<void> {
		const { everyMs, clock = systemClock, lease, nonces, acknowledge, inTurn } = this.#options
		const wait = this.#acknowledgedAt + everyMs - clock.now()
		if (wait > 0) {
			this.#callOff ??= clock.after(wait, () => {
				this.#callOff = undefined
				void inTurn(() => this.#acknowledge())
			})
			return
		}
		const position = this.#durable
		if (position <= this.#acknowledged) return
		await lease.check()
		await nonces.advance(position)
		acknowledge(position)
		this.#acknowledged = position
		this.#acknowledgedAt = clock.now()
	}
}
