import { type Archive, archiveOf } from './archive.ts'
import { type Audit, auditOf } from './audit.ts'
import { type Cleanup, cleanupOf } from './cleanup.ts'
import { type ClientOptions, connect, type Raw } from './connect.ts'
import { type Plans, plansOf } from './plans.ts'
import { type Policies, policiesOf } from './policies.ts'
import { type Restores, restoresOf } from './restores.ts'
import { type Runs, runsOf } from './runs.ts'
import { type System, systemOf } from './system.ts'
import { type Tables, tablesOf } from './tables.ts'
import { type Tokens, tokensOf } from './tokens.ts'

/** Everything that a reprieve service does. Every method throws ReprieveError alone. */
export type Client = {
	tables: Tables
	policies: Policies
	plans: Plans
	runs: Runs
	cleanup: Cleanup
	archive: Archive
	restores: Restores
	tokens: Tokens
	audit: Audit
	system: System
	/** The raw typed client, with tRPC's own errors. */
	trpc: Raw
}

/** Makes a client; nothing is sent before the first call. */
export function createClient(options: ClientOptions): Client {
	const trpc = connect(options)
	const runs = runsOf(trpc)
	return {
		tables: tablesOf(trpc),
		policies: policiesOf(trpc),
		plans: plansOf(trpc),
		runs,
		cleanup: cleanupOf(trpc, runs),
		archive: archiveOf(trpc),
		restores: restoresOf(trpc),
		tokens: tokensOf(trpc),
		audit: auditOf(trpc),
		system: systemOf(trpc),
		trpc,
	}
}
