import type { Vault, VaultTable } from '@reprieve/vault'
import { changedTransaction } from '../incident.ts'
import type { Identity } from './partition.ts'

/** Transactions that are remembered; of others the vault is asked. */
const kept = 50_000

/**
 * Transactions by position. One that is delivered again is dropped only when it is the very one that was taken: else a
 * rewound database's deletions would be skipped in silence.
 */
export class KnownTransactions {
	readonly #vault: Vault
	readonly #known = new Map<bigint, Omit<Identity, 'position'>>()

	constructor(vault: Vault) {
		this.#vault = vault
	}

	/** Remembers what was taken. */
	add({ position, xid, committedAt }: Identity): void {
		this.#known.set(position, { xid, committedAt })
		if (this.#known.size <= kept) return
		for (const oldest of this.#known.keys()) {
			this.#known.delete(oldest)
			if (this.#known.size <= kept / 2) return
		}
	}

	/**
	 * Throws CaptureStopped for a transaction that is not the one at its position. `table` has rows of them, where
	 * receipts may not say it yet; behind `durable` nothing can be compared.
	 */
	async check(repeats: readonly Identity[], durable: bigint, table?: VaultTable): Promise<void> {
		const unknown = repeats.filter(({ position }) => !this.#known.has(position) && position <= durable)
		if (unknown.length > 0) await this.#read(unknown, table)
		for (const repeat of repeats) {
			const same = this.#known.get(repeat.position)
			if (!same && repeat.position > durable) continue
			if (same?.xid !== repeat.xid || same.committedAt !== repeat.committedAt) {
				throw changedTransaction(repeat, table && `${table.name.schema}.${table.name.name}`)
			}
		}
	}

	async #read(repeats: readonly Identity[], table: VaultTable | undefined): Promise<void> {
		const exact = repeats.map(({ position }) => position)
		const found = new Set<bigint>()
		for await (const { position, xid, committedAt } of this.#vault.transactions.read({ exact })) {
			found.add(position.lsn)
			this.add({ position: position.lsn, xid, committedAt })
		}
		const transactions = exact.filter((position) => !found.has(position))
		if (!table || transactions.length === 0) return
		for await (const rows of table.read({ transactions })) {
			for (let row = 0; row < rows.count; row++) {
				const [xid, committedAt] = [rows.xid[row] as number, rows.committedAt[row] as bigint]
				this.add({ position: rows.position[row] as bigint, xid, committedAt })
			}
		}
	}
}
