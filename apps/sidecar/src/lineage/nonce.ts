import { randomBytes } from 'node:crypto'
import { formatLsn } from '@reprieve/contracts'
import type { Control } from '@reprieve/control'
import type { Vault, VaultLineage } from '@reprieve/vault'
import { recordNonce } from '../archive/record.ts'

/** Nonces that the vault keeps of a lineage: a standby that is promoted may lack the newest. */
const kept = 64

/**
 * Names the vault's newest commit in the database and then in the vault, before the slot is acknowledged. A database
 * that does not know the vault's newest nonce was rewound or cloned.
 */
export class NonceChain {
	readonly #control: Control
	readonly #vault: Vault
	#lineage: VaultLineage

	constructor(control: Control, vault: Vault, lineage: VaultLineage) {
		this.#control = control
		this.#vault = vault
		this.#lineage = lineage
	}

	async advance(position: bigint): Promise<void> {
		const nonce = randomBytes(12).toString('hex')
		const previous = this.#lineage.nonces.at(-1)?.nonce
		await recordNonce(this.#control, this.#lineage.id, { nonce, previous, position })
		const nonces = [...this.#lineage.nonces, { nonce, position: formatLsn(position) }].slice(-kept)
		const lineage = { ...this.#lineage, nonces }
		await this.#vault.putLineage(lineage)
		this.#lineage = lineage
	}
}
