import { generateKeyPairSync } from 'node:crypto'
import { createSigner, type Signer } from '@reprieve/cdc'
import { ReprieveError } from '@reprieve/contracts'
import { keepSecret, migrateControl, openControl } from '@reprieve/control'
import { openSessions, watchConnections } from '@reprieve/postgres'
import { openVaultAt, type Vault } from '@reprieve/vault'
import { openDatabaseClock } from './clock.ts'
import type { Config } from './config.ts'
import type { Clock, Services } from './context.ts'
import { openLog } from './log.ts'

/** Parts that a composition root or a test brings itself. */
export type Dependencies = {
	vault?: Vault
	clock?: Clock
	log?: Services['log']
}

/** Migrates the control schema and opens everything that the verbs work with; `close` ends the pools and the vault. */
export async function openServices(
	config: Config,
	dependencies: Dependencies = {},
): Promise<Services & { close(): Promise<void> }> {
	await migrateControl(config.urls.owner, watchConnections(config.urls.owner))
	await using opening = new AsyncDisposableStack()
	const log = dependencies.log ?? openLog(config)
	const watch = watchConnections(config.urls.control)
	const control = openControl(config.urls.control, { applicationName: 'reprieve service', watch })
	opening.defer(control.close)
	const clock = dependencies.clock ?? opening.adopt(await openDatabaseClock(control.sql), ({ close }) => close())
	const pools = openPools(config)
	opening.defer(() => closePools(pools))
	const vault = dependencies.vault ?? (await openOwnVault(config, control.sql))
	if (!dependencies.vault) opening.defer(vault.close)
	const signer = await openSigner(config)
	await publishKey(vault, signer, clock)
	const opened = opening.move()
	return {
		control,
		pools,
		vault,
		signer,
		clock,
		log,
		lineage: () => openLineage(control.sql),
		limits: limitsOf(config),
		close: () => opened.disposeAsync(),
	}
}

async function openOwnVault({ vault, vaultKey }: Config, sql: Parameters<typeof databaseName>[0]): Promise<Vault> {
	return openVaultAt(vault, await databaseName(sql), { segmentKeys: vaultKey })
}

function openPools({ urls }: Config): Services['pools'] {
	return {
		plan: openSessions(urls.plan, { applicationName: 'reprieve plan', max: 4 }),
		delete: openSessions(urls.delete, { applicationName: 'reprieve delete', max: 4 }),
		restore: openSessions(urls.restore, { applicationName: 'reprieve restore', max: 4 }),
		owner: openSessions(urls.owner, { applicationName: 'reprieve owner', max: 2 }),
	}
}

async function closePools(pools: Services['pools']): Promise<void> {
	await Promise.all(Object.values(pools).map((sql) => sql.end({ timeout: 5 })))
}

async function databaseName(sql: Services['control']['sql']): Promise<string> {
	const [row] = await sql<{ name: string }[]>`select current_database() as name`
	return row?.name ?? ''
}

async function openSigner(config: Config): Promise<Signer> {
	const pem = config.signingKey ?? (await keepSecret(config.data, 'signing-key', generateKey))
	return createSigner(pem.replaceAll('\\n', '\n'))
}

function generateKey(): string {
	return generateKeyPairSync('ed25519').privateKey.export({ type: 'pkcs8', format: 'pem' }).toString()
}

/** Verification outlives the service: whoever reads the vault finds the key there. */
async function publishKey(vault: Vault, signer: Signer, clock: Clock): Promise<void> {
	const keys = await vault.keys()
	if (keys.some((key) => key.id === signer.keyId)) return
	const key = { id: signer.keyId, publicKey: signer.publicKey, validFrom: clock.now().toISOString() }
	await vault.putKey(key).catch(async (error) => {
		const others = await vault.keys()
		if (!others.some(({ id }) => id === key.id)) throw error
	})
}

async function openLineage(sql: Services['control']['sql']): Promise<string> {
	const [row] = await sql<{ id: string }[]>`
		select l.id from reprieve.lineages l join pg_database d on d.oid = l.database_oid::oid
		where l.closed_at is null and d.datname = current_database()`
	if (row) return row.id
	throw new ReprieveError('UNAVAILABLE', 'capture has not opened a lineage for this database', {
		hint: 'Start the sidecar, or see what stops it in the status.',
	})
}

function limitsOf(config: Config): Services['limits'] {
	return {
		planRows: config.planRows,
		approvalRows: config.approvalRows,
		planMinutes: 24 * 60,
		exposureBatches: 10,
		exposureRows: 100_000,
		slotBytes: config.slotBytes,
	}
}
