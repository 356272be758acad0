import { type RowOrigin, RowsBuilder, type Tuple } from '@reprieve/cdc'
import type { ChangeOp, ChangeRows, SourceTable } from '@reprieve/contracts'
import type { PendingSegment, VaultTable } from '@reprieve/vault'

/** The commit that the vault has for a position: a redelivered transaction must be the same one. */
export type KnownCommit = { xid: number; committedAt: bigint }

/** What one table gives to a flush: everything of transactions that have committed; what was spilled comes first. */
export type TableShare<Spilled = PendingSegment> = {
	buffer: TableBuffer<Spilled>
	/** By schema version. */
	rows: ChangeRows[]
	spilled: Spilled[]
}

export type BufferOptions<Spilled> = {
	/** The newest commit position in the table's own log. */
	archived: bigint
	/** Commits of the table's log that may be delivered again. */
	known: ReadonlyMap<bigint, KnownCommit>
	/** Sets rows aside ahead of their commit, by schema version. */
	spill: (rows: ChangeRows[]) => Promise<Spilled[]>
}

/** Rows of one schema version: those of committed transactions come first, `gone` more were before them. */
type Version = { builder: RowsBuilder; settled: number; gone: number }

/** Where a row was put, counted from the version's first; it may still be said to be a move until it is spilled. */
export type RowPlace = { version: Version; row: number }

/**
 * Rows of one root that are not in its log yet. Rows of the transaction under way are behind those of committed ones
 * and invisible until {@link settle} says that its commit has arrived.
 */
export class TableBuffer<Spilled = PendingSegment> {
	readonly label: string
	readonly vault: VaultTable
	/** The newest commit position in the table's own log. */
	archived: bigint
	/** Commits of the table's log that may be delivered again. */
	readonly known: ReadonlyMap<bigint, KnownCommit>
	readonly #spill: BufferOptions<Spilled>['spill']
	/** By schema version: leaves may learn of a new one at different moments. */
	readonly #versions = new Map<SourceTable, Version>()
	/** Memory of what was spilled, for the rows of the same transaction that follow. */
	readonly #spare = new Map<SourceTable, RowsBuilder>()
	#spilled: Spilled[] = []
	#ready: Spilled[] = []

	constructor(label: string, vault: VaultTable, options: BufferOptions<Spilled>) {
		this.label = label
		this.vault = vault
		this.archived = options.archived
		this.known = options.known
		this.#spill = options.spill
	}

	get bytes(): number {
		let bytes = 0
		for (const { builder } of this.#versions.values()) bytes += builder.bytes
		return bytes
	}

	append(table: SourceTable, row: { tuple: Tuple; places: Int16Array; origin: RowOrigin }): RowPlace {
		let version = this.#versions.get(table)
		if (!version) {
			version = { builder: this.#spare.get(table) ?? new RowsBuilder(table), settled: 0, gone: 0 }
			this.#spare.delete(table)
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
		this.#spare.clear()
		this.#ready.push(...this.#spilled)
		this.#spilled = []
	}

	/** Sets the rows of the transaction under way aside ahead of its commit; nothing names them until then. */
	async spill(): Promise<void> {
		const rows: ChangeRows[] = []
		const emptied: RowsBuilder[] = []
		for (const [table, version] of [...this.#versions]) {
			const { builder, settled } = version
			if (builder.count === settled) continue
			emptied.push(builder)
			this.#keep(table, version, { from: 0, to: settled, settled })
			rows.push(builder.slice(settled, builder.count))
		}
		if (rows.length === 0) return
		this.#spilled.push(...(await this.#spill(rows)))
		for (const builder of emptied) {
			builder.reset()
			this.#spare.set(builder.table, builder)
		}
	}

	/** Hands over the committed part. */
	take(): TableShare<Spilled> {
		const share: TableShare<Spilled> = { buffer: this, rows: [], spilled: this.#ready }
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
		version.builder = new RowsBuilder(table, version.builder.slice(part.from, part.to))
		version.gone += part.from
		version.settled = part.settled
	}
}
