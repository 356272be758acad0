import { generateKeyPairSync, randomUUID } from 'node:crypto'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createSigner } from '@reprieve/cdc'
import { lineages, migrateControl, openControl } from '@reprieve/control'
import { openSessions, type Sql, watchConnections } from '@reprieve/postgres'
import type { Principal, Services } from '@reprieve/service'
import { fileStore, openVault, type Vault } from '@reprieve/vault'
import { pino } from 'pino'
import type { TestDatabase } from './postgres.ts'

export type TestServices = Services & AsyncDisposable & { lineageId: string; vaultFolder: string }

/** A principal who may do everything. */
export const admin: Principal = { id: 'bootstrap', name: 'admin', role: 'admin', chain: ['bootstrap'] }

export type TestServicesOptions = {
	limits?: Partial<Services['limits']>
	clock?: Services['clock']
	vault?: Vault
	/** Insert a lineage row (default). False when capture opens its own. */
	openLineage?: boolean
}

/**
 * Services over a migrated control schema, a vault in a temporary folder, a generated signer and an open lineage.
 * Everything is closed and removed on disposal, before the database is.
 */
export async function testServices(database: TestDatabase, options: TestServicesOptions = {}): Promise<TestServices> {
	await migrateControl(database.url)
	const watch = watchConnections(database.url)
	const control = openControl(database.url, { max: 4, applicationName: 'test control', watch })
	const pool = (name: string) => openSessions(database.url, { applicationName: `test ${name}`, max: 4 })
	const pools = { plan: pool('plan'), delete: pool('delete'), restore: pool('restore'), owner: pool('owner') }
	const vaultFolder = await mkdtemp(join(tmpdir(), 'reprieve-vault-'))
	const vault = options.vault ?? openVault({ store: fileStore(vaultFolder), database: database.name })
	const { privateKey } = generateKeyPairSync('ed25519')
	const lineageId = options.openLineage === false ? '' : await openTestLineage(control.db, database.sql)
	return {
		control,
		pools,
		vault,
		vaultFolder,
		lineageId,
		signer: createSigner(privateKey.export({ type: 'pkcs8', format: 'pem' }).toString()),
		clock: options.clock ?? { now: () => new Date() },
		log: pino({ level: 'silent' }),
		lineage: () => readLineage(database.sql),
		limits: {
			planRows: 10_000_000,
			approvalRows: 0,
			planMinutes: 1440,
			exposureBatches: 10,
			exposureRows: 100_000,
			slotBytes: 1_000_000_000,
			...options.limits,
		},
		async [Symbol.asyncDispose]() {
			await vault.close()
			await Promise.all(Object.values(pools).map((sql) => sql.end({ timeout: 5 })))
			await control.close()
			await rm(vaultFolder, { recursive: true, force: true })
		},
	}
}

async function readLineage(sql: Sql): Promise<string> {
	const [row] = await sql<{ id: string }[]>`select id from reprieve.lineages where closed_at is null`
	if (!row) throw new Error('no lineage is open')
	return row.id
}

async function openTestLineage(db: Services['control']['db'], sql: Sql): Promise<string> {
	const [row] = await sql<{ system: string; oid: string }[]>`
		select system_identifier::text as system, (select oid::text from pg_database where datname = current_database()) as oid
		from pg_control_system()`
	const id = randomUUID()
	await db.insert(lineages).values({
		id,
		systemIdentifier: row?.system ?? '',
		databaseOid: Number(row?.oid),
		slot: `reprieve_${row?.oid}`,
		timeline: 1,
		openedAt: new Date().toISOString(),
	})
	return id
}
