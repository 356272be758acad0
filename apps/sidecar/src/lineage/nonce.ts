import { randomBytes } from 'node:crypto'
import { formatLsn } from '@reprieve/contracts'
import type { Vault, VaultLineage } from '@reprieve/vault'
import type { OpenLineage } from './open.ts'

/** Nonces that the vault keeps of a lineage: a standby that is promoted may lack the newest. */
const kept = 64

/** A nonce, the one that the vault has, and the one in the database that it may replace. */
export type NamedCommit = {
	nonce: string
	previous: string | undefined
	replaces: string | null
	position: bigint
}

/** Writes a nonce to the database; throws CONFLICT where that has another one by now. */
type RecordNonce = (lineage: string, nonce: NamedCommit) => Promise<void>

/**
 * Names the vault's newest commit in the database and then in the vault, before the slot is acknowledged. A database
 * that does not know the vault's newest nonce was rewound or cloned.
 */
export class NonceChain {
	readonly #record: RecordNonce
	readonly #vault: Pick<Vault, 'putLineage'>
	#lineage: VaultLineage
	#recorded: string | null

	constructor(record: RecordNonce, vault: Pick<Vault, 'putLineage'>, opened: Pick<OpenLineage, 'lineage' | 'nonce'>) {
		this.#record = record
		this.#vault = vault
		this.#lineage = opened.lineage
		this.#recorded = opened.nonce
	}

	async advance(position: bigint): Promise<void> {
		const nonce = randomBytes(12).toString('hex')
		const previous = this.#lineage.nonces.at(-1)?.nonce
		await this.#record(this.#lineage.id, { nonce, previous, replaces: this.#recorded, position })
		this.#recorded = nonce
		const nonces = [...this.#lineage.nonces, { nonce, position: formatLsn(position) }].slice(-kept)
		this.#lineage = await this.#vault.putLineage({ ...this.#lineage, nonces })
	}
}
