import { randomBytes } from 'node:crypto'
import { formatLsn } from '@reprieve/contracts'
import type { Vault, VaultLineage } from '@reprieve/vault'

/** Nonces that the vault keeps of a lineage. */
const kept = 8

/** Writes a nonce to the database. */
type RecordNonce = (
	lineage: string,
	nonce: { nonce: string; previous: string | undefined; position: bigint },
) => Promise<void>

/**
 * Names the vault's newest commit in the database and then in the vault, before the slot is acknowledged. A database
 * that does not know the vault's newest nonce was rewound or cloned.
 */
export class NonceChain {
	readonly #record: RecordNonce
	readonly #vault: Pick<Vault, 'putLineage'>
	#lineage: VaultLineage

	constructor(record: RecordNonce, vault: Pick<Vault, 'putLineage'>, lineage: VaultLineage) {
		this.#record = record
		this.#vault = vault
		this.#lineage = lineage
	}

	async advance(position: bigint): Promise<void> {
		const nonce = randomBytes(12).toString('hex')
		const previous = this.#lineage.nonces.at(-1)?.nonce
		await this.#record(this.#lineage.id, { nonce, previous, position })
		const nonces = [...this.#lineage.nonces, { nonce, position: formatLsn(position) }].slice(-kept)
		const lineage = { ...this.#lineage, nonces }
		await this.#vault.putLineage(lineage)
		this.#lineage = lineage
	}
}
