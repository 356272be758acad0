import { type ArchivedTransaction, type CaptureIncident, ReprieveError } from '@reprieve/contracts'
import {
	type CommittedTransaction,
	framesMissing,
	type Lane,
	type NamedCommit,
	type Records,
} from '@reprieve/sidecar/steps'
import type { Process, World } from './world.ts'

/** The control schema: what capture and archive write where the gate reads it. */
export class ControlRecord {
	readonly nonces: { nonce: string | null; previousNonce: string | null } = { nonce: null, previousNonce: null }
	/** Receipts by position. */
	readonly receipts = new Map<bigint, ArchivedTransaction>()
	/** Open incidents by which frames are asked for again: how many had been raised before each. */
	readonly #asked = new Map<string, number>()
	#raised = 0
	#acknowledged = 0n
	/** Called with what has become receipts. */
	onReceipts: (receipts: ArchivedTransaction[]) => void = () => {}
	readonly #world: World

	constructor(world: World) {
		this.#world = world
	}

	/** As archivers of frames have it. Capture asks whether frames are missing since it asked first. */
	recordsFor(process: Process): Records & { asksAgain: () => Promise<() => Promise<boolean>> } {
		const ask = <T>(label: string, act: () => T) => this.#world.call(process, label, act)
		const write = <T>(label: string, act: () => T) => this.#world.call(process, label, act, { isWrite: true })
		return {
			receipts: (transactions) => write('record receipts', () => this.#keep(transactions)),
			copied: () => ask('read how far receipts go', () => this.#copied()),
			raise: (incident) => write(`raise ${incident.code}: ${incident.message}`, () => this.#raise(incident)),
			resolve: ({ topic, partition }) => write('resolve', () => this.#resolve({ topic, partition })),
			lose: ({ what, range }) =>
				write(`lose ${what}`, () =>
					this.#world.fail(new Error(`${what} would lose ${range.from.position} to ${range.to.position}`)),
				),
			asksAgain: () =>
				ask('read the clock', () => {
					const before = this.#raised
					return () => ask('look for holes', () => [...this.#asked.values()].some((at) => at >= before))
				}),
		}
	}

	#keep(transactions: Pick<CommittedTransaction, 'archived'>[]): void {
		const archived = transactions.flatMap((transaction) => transaction.archived ?? [])
		for (const receipt of archived) this.receipts.set(receipt.position.lsn, receipt)
		if (archived.length > 0) this.onReceipts(archived)
	}

	/** The earlier of both, as the control schema would say it. */
	#copied(): bigint {
		const newest = [...this.receipts.keys()].reduce((found, lsn) => (lsn > found ? lsn : found), 0n)
		const [earlier = 0n] = [newest, this.#acknowledged].sort((a, b) => (a < b ? -1 : 1))
		return earlier
	}

	#raise({ id, code, message }: CaptureIncident): void {
		if (code !== framesMissing) this.#world.fail(new Error(`an incident that nothing explains: ${message}`))
		this.#asked.set(`${id} ${message}`, this.#raised++)
	}

	#resolve({ topic, partition }: Lane): number {
		const over = [...this.#asked.keys()].filter((name) => name.includes(` ${topic}, partition ${partition} `))
		for (const name of over) this.#asked.delete(name)
		return over.length
	}

	/** As capture and archive have it. */
	portFor(process: Process) {
		const write = (label: string, act: () => void) => this.#world.call(process, label, act, { isWrite: true })
		return {
			record: (transactions: Pick<CommittedTransaction, 'archived'>[]) =>
				write('record receipts', () => this.#keep(transactions)),
			recordNonce: (_lineage: string, { nonce, previous, replaces, position }: NamedCommit) =>
				write('record a nonce', () => {
					if (this.nonces.nonce !== replaces) throw new ReprieveError('CONFLICT', 'another nonce is there')
					this.#acknowledged = position
					Object.assign(this.nonces, { nonce, previousNonce: previous ?? null })
				}),
			readNonces: () => this.#world.call(process, 'read the nonces', () => ({ ...this.nonces })),
		}
	}
}
