import { type RowOrigin, RowsBuilder, rebuild, type Tuple } from '@reprieve/cdc'
import type { ChangeOp, ChangeRows, SourceTable } from '@reprieve/contracts'
import type { PendingSegment, VaultTable } from '@reprieve/vault'

/** The commit that the vault has for a position: a redelivered transaction must be the same one. */
export type KnownCommit = { xid: number; committedAt: bigint }

/** What one table gives to a flush: everything of transactions that have committed, by schema version. */
export type TableShare = { buffer: TableBuffer; rows: ChangeRows[]; segments: PendingSegment[] }

/** Rows of one schema version: those of committed transactions come first, `gone` more were before them. */
type Version = { builder: RowsBuilder; settled: number; gone: number }

/** Where a row was put, counted from the version's first; it may still be said to be a move until it is spilled. */
export type RowPlace = { version: Version; row: number }

/**
 * Rows of one root that are not in its log yet. Rows of the transaction under way are behind those of committed ones
 * and invisible until {@link settle} says that its commit has arrived.
 */
export class TableBuffer {
	readonly label: string
	readonly vault: VaultTable
	/** The newest commit position in the table's own log. */
	archived: bigint
	/** Commits of the table's log that may be delivered again. */
	readonly known: ReadonlyMap<bigint, KnownCommit>
	/** By schema version: leaves may learn of a new one at different moments. */
	readonly #versions = new Map<SourceTable, Version>()
	#spilled: PendingSegment[] = []
	#ready: PendingSegment[] = []

	constructor(label: string, vault: VaultTable, log: { archived: bigint; known: ReadonlyMap<bigint, KnownCommit> }) {
		this.label = label
		this.vault = vault
		this.archived = log.archived
		this.known = log.known
	}

	get bytes(): number {
		let bytes = 0
		for (const { builder } of this.#versions.values()) bytes += builder.bytes
		return bytes
	}

	append(table: SourceTable, row: { tuple: Tuple; places: Int16Array; origin: RowOrigin }): RowPlace {
		let version = this.#versions.get(table)
		if (!version) {
			version = { builder: new RowsBuilder(table), settled: 0, gone: 0 }
			this.#versions.set(table, version)
		}
		return { version, row: version.gone + version.builder.append(row.tuple, row.places, row.origin) }
	}

	/** Says what a row of the transaction under way turned out to be; a flush may have moved it meanwhile. */
	setOp({ version, row }: RowPlace, op: ChangeOp): void {
		version.builder.setOp(row - version.gone, op)
	}

	/** The transaction under way has committed: its rows may become visible. */
	settle(): void {
		for (const version of this.#versions.values()) version.settled = version.builder.count
		this.#ready.push(...this.#spilled)
		this.#spilled = []
	}

	/** Writes the rows of the transaction under way ahead of its commit; nothing names the segments until then. */
	async spill(): Promise<void> {
		for (const [table, version] of [...this.#versions]) {
			const { builder, settled } = version
			if (builder.count === settled) continue
			this.#keep(table, version, { from: 0, to: settled, settled })
			this.#spilled.push(...(await this.vault.write(builder.slice(settled, builder.count))))
		}
	}

	/** Hands over the committed part. */
	take(): TableShare {
		const share: TableShare = { buffer: this, rows: [], segments: this.#ready }
		this.#ready = []
		for (const [table, version] of [...this.#versions]) {
			const { builder, settled } = version
			if (settled === 0) continue
			this.#keep(table, version, { from: settled, to: builder.count, settled: 0 })
			share.rows.push(builder.slice(0, settled))
		}
		return share
	}

	#keep(table: SourceTable, version: Version, part: { from: number; to: number; settled: number }): void {
		if (part.from === part.to) this.#versions.delete(table)
		version.builder = rebuild(version.builder.slice(part.from, part.to))
		version.gone += part.from
		version.settled = part.settled
	}
}
