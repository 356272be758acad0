import type { Signer } from '@reprieve/cdc'
import type { Role } from '@reprieve/contracts'
import type { Control } from '@reprieve/control'
import type { Sql } from '@reprieve/postgres'
import type { Vault } from '@reprieve/vault'
import type { Logger } from 'pino'

/** Time as the service sees it: the database's. Tests inject their own. */
export type Clock = { now(): Date }

/** What every verb works with: built once in main, passed as the first argument. */
export type Services = {
	control: Control
	/** One pool per database role, all with pinned settings. */
	pools: { plan: Sql; delete: Sql; restore: Sql; owner: Sql }
	vault: Vault
	signer: Signer
	clock: Clock
	log: Logger
	/** Id of the open lineage. Throws UNAVAILABLE while capture has not opened one. */
	lineage(): Promise<string>
	limits: Limits
}

export type Limits = {
	/** Most rows that one plan may match. Default 10,000,000. */
	planRows: number
	/** Plans of more rows than this need another's approval; 0 for never. Default 0. */
	approvalRows: number
	/** Minutes that a plan stays usable. Default 24 h. */
	planMinutes: number
	/** Default exposure of a run: batches and rows. */
	exposureBatches: number
	exposureRows: number
	/** Bytes of log that the slot may hold back before runs are refused. */
	slotBytes: number
}

/** Who calls. */
export type Principal = {
	/** Key id. */
	id: string
	name: string
	role: Role
	/** Tables (formatTableName) that the key may act on; undefined: all. */
	tables?: string[]
	/** Ids of the keys that made this one, itself first: author and approver must differ along it. */
	chain: string[]
}
