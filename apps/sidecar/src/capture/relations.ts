import { setTimeout } from 'node:timers/promises'
import type { Relation } from '@reprieve/cdc'
import { formatTableName, ReprieveError, type SourceTable } from '@reprieve/contracts'
import { isVisible, type Sql } from '@reprieve/postgres'
import type { Vault, VaultTable } from '@reprieve/vault'
import type { TableBuffer } from '../archive/buffer.ts'
import { adoptRemedy, CaptureStopped } from '../incident.ts'
import { isVaultAway } from '../vault-away.ts'
import { type RelationFacts, readRelationFacts, readSlots, readTypeNames, readUnprovenColumns } from './catalog.ts'
import { type Mapping, makeMapping } from './mapping.ts'
import { type Match, matchAltered, matchDropped, matchRelation } from './match.ts'

/** Milliseconds that a transaction of the log may take to be seen by others, and between looks. */
const visibleMs = 30_000
const lookMs = 10

export type RelationsOptions<Spilled> = {
	sql: Sql
	vault: Vault
	/** A buffer for the rows of one root on their way to the sink. */
	openBuffer: (label: string, table: VaultTable) => Promise<TableBuffer<Spilled>>
}

/** What the stream's relations are in the vault; one buffer per root. */
export class Relations<Spilled = unknown> {
	readonly buffers = new Map<string, TableBuffer<Spilled>>()
	readonly #mappings = new Map<number, Mapping>()
	/** The newest schema version of each root that this session met, by the root's OID. */
	readonly #versions = new Map<number, SourceTable>()
	readonly #options: RelationsOptions<Spilled>
	/** The transaction that was last seen to have taken effect. */
	#visible: number | undefined

	constructor(options: RelationsOptions<Spilled>) {
		this.#options = options
	}

	get(oid: number): Mapping | undefined {
		return this.#mappings.get(oid)
	}

	/** Maps a relation for the rows that follow in a transaction, whose own changes of the catalog are seen. */
	async resolve(relation: Relation, xid: number): Promise<void> {
		await this.#untilVisible(xid)
		this.#mappings.set(relation.oid, await this.map(relation, xid))
	}

	/**
	 * What a relation is in the vault as of now, for rows that transaction `xid` took out of it, if they are to be judged.
	 * Throws SCHEMA_DRIFT (which stops capture) rather than guess.
	 */
	async map(relation: Relation, xid?: number): Promise<Mapping> {
		const facts = await readRelationFacts(this.#options.sql, relation.oid)
		const name = facts.root ?? (await this.#rootName(relation, facts))
		const buffer = await this.buffer(name)
		const archived = await this.#archivedVersion(buffer, facts.rootOid)
		const match = await this.#match(relation, { facts, archived, label: buffer.label })
		const table = this.#oneVersion(facts.rootOid, match.table)
		const unproven = xid === undefined ? [] : await readUnprovenColumns(this.#options.sql, facts.rootOid, xid)
		return makeMapping({ relation, facts, match: { ...match, table }, archived, unproven, buffer })
	}

	async buffer(name: { schema: string; name: string }): Promise<TableBuffer<Spilled>> {
		const label = formatTableName(name)
		const existing = this.buffers.get(label)
		if (existing) return existing
		const vault = this.#options.vault.table({ schema: name.schema, name: name.name })
		const buffer = await this.#options.openBuffer(label, vault)
		this.buffers.set(label, buffer)
		return buffer
	}

	/**
	 * The vault's newest version of a table. While the vault is away, which must not keep frames from Kafka, the newest that this
	 * session met: the server describes a table again whenever it was altered, renamed, vacuumed or analysed. A table that the
	 * session has not met before waits for the vault, and the stream with it.
	 */
	async #archivedVersion({ vault }: TableBuffer<Spilled>, oid: number): Promise<SourceTable | undefined> {
		try {
			return (await vault.schemas()).findLast((version) => version.oid === oid)
		} catch (error) {
			const met = this.#versions.get(oid)
			if (!isVaultAway(error) || met?.oid !== oid) throw error
			return met
		}
	}

	async #untilVisible(xid: number): Promise<void> {
		if (this.#visible === xid) return
		const deadline = performance.now() + visibleMs
		while (!(await isVisible(this.#options.sql, xid))) {
			if (performance.now() > deadline) throw unseen(xid)
			await setTimeout(lookMs)
		}
		this.#visible = xid
	}

	/** Equal versions are one object, so that leaves of a root share one builder. */
	#oneVersion(oid: number, table: SourceTable): SourceTable {
		const known = this.#versions.get(oid)
		if (known && JSON.stringify(known) === JSON.stringify(table)) return known
		this.#versions.set(oid, table)
		return table
	}

	async #match(
		relation: Relation,
		known: { facts: RelationFacts; archived: SourceTable | undefined; label: string },
	): Promise<Match> {
		const { facts, archived, label } = known
		const match = matchRelation(relation, { catalog: facts.root, archived })
		if (match) return match
		const { sql } = this.#options
		const types = await readTypeNames(sql, relation.columns)
		if (!facts.root && !archived) return matchDropped(relation, types)
		if (facts.root && facts.table) {
			const slots = await readSlots(sql, relation.oid)
			const altered = matchAltered(relation, { table: facts.root, leaf: facts.table, slots }, types)
			if (altered) return altered
		}
		const columns = relation.columns.map((column) => column.name).join(', ')
		throw new CaptureStopped('SCHEMA_DRIFT', {
			code: 'SCHEMA_DRIFT',
			message: `${formatTableName(relation)} has the columns ${columns} in the log, which fit neither the catalog nor the vault's newest version of ${label}`,
			remedy: adoptRemedy,
			table: label,
		})
	}

	/** A leaf whose root is gone too has the name that the vault knows its root by, else its own. */
	async #rootName(relation: Relation, facts: RelationFacts): Promise<{ schema: string; name: string }> {
		if (facts.rootOid === relation.oid) return relation
		const [row] = await this.#options.sql<{ schema: string; name: string }[]>`
			select schema, name from reprieve.protected_tables where oid = ${facts.rootOid}`
		return row ?? relation
	}
}

function unseen(xid: number): ReprieveError {
	return new ReprieveError('UNAVAILABLE', `transaction ${xid} is in the log, but not in effect for ${visibleMs} ms`, {
		hint: "It may wait for a synchronous standby; capture's own connection (reprieve capture) must not be one of synchronous_standby_names. It is tried again.",
		retryable: true,
	})
}
