import { type RowOrigin, RowsBuilder, rebuild, type Tuple } from '@reprieve/cdc'
import type { ChangeRows, SourceTable } from '@reprieve/contracts'
import type { PendingSegment, VaultTable } from '@reprieve/vault'

/** The commit that the vault has for a position: a redelivered transaction must be the same one. */
export type KnownCommit = { xid: number; committedAt: bigint }

/** What one table gives to a flush: everything of transactions that have committed. */
export type TableShare = { buffer: TableBuffer; rows?: ChangeRows; segments: PendingSegment[] }

/**
 * Rows of one root that are not in its log yet. Rows of the transaction under way are at the end, behind those of
 * committed ones; they are invisible until {@link settle} says that its commit has arrived.
 */
export class TableBuffer {
	readonly label: string
	readonly vault: VaultTable
	/** The newest commit position in the table's own log. */
	archived: bigint
	/** Commits of the table's log that may be delivered again. */
	readonly known: ReadonlyMap<bigint, KnownCommit>
	#builder: RowsBuilder | undefined
	#settled = 0
	#spilled: PendingSegment[] = []
	#ready: PendingSegment[] = []

	constructor(label: string, vault: VaultTable, log: { archived: bigint; known: ReadonlyMap<bigint, KnownCommit> }) {
		this.label = label
		this.vault = vault
		this.archived = log.archived
		this.known = log.known
	}

	get bytes(): number {
		return this.#builder?.bytes ?? 0
	}

	/** The schema version that rows are gathered under. */
	get table(): SourceTable | undefined {
		return this.#builder?.table
	}

	append(table: SourceTable, row: { tuple: Tuple; places: Int16Array; origin: RowOrigin }): number {
		this.#builder ??= new RowsBuilder(table)
		return this.#builder.append(row.tuple, row.places, row.origin)
	}

	setMove(row: number): void {
		this.#builder?.setOp(row, 'move')
	}

	/** The transaction under way has committed: its rows may become visible. */
	settle(): void {
		this.#settled = this.#builder?.count ?? 0
		this.#ready.push(...this.#spilled)
		this.#spilled = []
	}

	/** Writes the rows of the transaction under way ahead of its commit; nothing names the segments until then. */
	async spill(): Promise<void> {
		const builder = this.#builder
		if (!builder || builder.count === this.#settled) return
		const under = builder.slice(this.#settled, builder.count)
		const settled = this.#settled > 0 ? builder.slice(0, this.#settled) : undefined
		this.#builder = settled && rebuild(settled)
		this.#spilled.push(...(await this.vault.write(under)))
	}

	/** Hands over the committed part. */
	take(): TableShare {
		const builder = this.#builder
		const share: TableShare = { buffer: this, segments: this.#ready }
		this.#ready = []
		if (!builder || this.#settled === 0) return share
		share.rows = builder.slice(0, this.#settled)
		this.#builder = builder.count > this.#settled ? rebuild(builder.slice(this.#settled, builder.count)) : undefined
		this.#settled = 0
		return share
	}
}
