import { type ArchivedTransaction, ReprieveError } from '@reprieve/contracts'
import type { CommittedTransaction, NamedCommit } from '@reprieve/sidecar/steps'
import type { Process, World } from './world.ts'

/** The control schema: what capture and archive write where the gate reads it. */
export class ControlRecord {
	readonly nonces: { nonce: string | null; previousNonce: string | null } = { nonce: null, previousNonce: null }
	/** Receipts by position. */
	readonly receipts = new Map<bigint, ArchivedTransaction>()
	/** Called with what is about to be a receipt. */
	onReceipt: (receipt: ArchivedTransaction) => void = () => {}
	readonly #world: World

	constructor(world: World) {
		this.#world = world
	}

	/** As capture and archive have it. */
	portFor(process: Process) {
		const write = (label: string, act: () => void) => this.#world.call(process, label, act, { isWrite: true })
		return {
			record: (transactions: Pick<CommittedTransaction, 'archived'>[]) =>
				write('record receipts', () => {
					for (const { archived } of transactions) if (archived) this.#receive(archived)
				}),
			recordNonce: (_lineage: string, { nonce, previous, replaces }: NamedCommit) =>
				write('record a nonce', () => {
					if (this.nonces.nonce !== replaces) throw new ReprieveError('CONFLICT', 'another nonce is there')
					Object.assign(this.nonces, { nonce, previousNonce: previous ?? null })
				}),
			readNonces: () => this.#world.call(process, 'read the nonces', () => ({ ...this.nonces })),
		}
	}

	#receive(receipt: ArchivedTransaction): void {
		this.onReceipt(receipt)
		this.receipts.set(receipt.position.lsn, receipt)
	}
}
