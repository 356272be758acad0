import { type ArchivedTransaction, ReprieveError } from '@reprieve/contracts'
import type { CommittedTransaction, NamedCommit } from '@reprieve/sidecar/steps'
import type { Process, World } from './world.ts'

/** The control schema: what capture and archive write where the gate reads it. */
export class ControlRecord {
	readonly nonces: { nonce: string | null; previousNonce: string | null } = { nonce: null, previousNonce: null }
	/** Receipts by position. */
	readonly receipts = new Map<bigint, ArchivedTransaction>()
	/** Called with what has become receipts. */
	onReceipts: (receipts: ArchivedTransaction[]) => void = () => {}
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
					const archived = transactions.flatMap((transaction) => transaction.archived ?? [])
					for (const receipt of archived) this.receipts.set(receipt.position.lsn, receipt)
					if (archived.length > 0) this.onReceipts(archived)
				}),
			recordNonce: (_lineage: string, { nonce, previous, replaces }: NamedCommit) =>
				write('record a nonce', () => {
					if (this.nonces.nonce !== replaces) throw new ReprieveError('CONFLICT', 'another nonce is there')
					Object.assign(this.nonces, { nonce, previousNonce: previous ?? null })
				}),
			readNonces: () => this.#world.call(process, 'read the nonces', () => ({ ...this.nonces })),
		}
	}
}
