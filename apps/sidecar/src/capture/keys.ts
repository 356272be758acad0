import { type VerifiedMessage, verifyMessage } from '@reprieve/cdc'
import { parseInstant } from '@reprieve/contracts'
import type { Vault, VaultKey } from '@reprieve/vault'

/** The vault's verification keys, read again when a message names one that is not known. */
export class KeyRing {
	readonly #vault: Vault
	#keys: VaultKey[] = []

	constructor(vault: Vault) {
		this.#vault = vault
	}

	async refresh(): Promise<void> {
		this.#keys = await this.#vault.keys()
	}

	/** Verifies a signed message with the keys that were valid when its transaction committed. */
	async verify<T>(prefix: string, content: Uint8Array, committedAt: bigint): Promise<VerifiedMessage<T>> {
		const first = this.#verify<T>(prefix, content, committedAt)
		const isKnown = first.verified || !first.keyId || this.#keys.some((key) => key.id === first.keyId)
		if (isKnown) return first
		await this.refresh()
		return this.#verify<T>(prefix, content, committedAt)
	}

	#verify<T>(prefix: string, content: Uint8Array, committedAt: bigint): VerifiedMessage<T> {
		const valid = this.#keys.filter((key) => isValidAt(key, committedAt))
		return verifyMessage<T>(new Map(valid.map((key) => [key.id, key.publicKey])), prefix, content)
	}
}

/** The beginning has a tolerance of a day: the service's clock and the server's need not agree. */
function isValidAt(key: VaultKey, committedAt: bigint): boolean {
	const dayMicros = 86_400_000_000n
	if (committedAt + dayMicros < parseInstant(key.validFrom)) return false
	return key.validTo === undefined || committedAt <= parseInstant(key.validTo)
}
