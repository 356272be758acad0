import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Client, createClient } from '@reprieve/client'
import { readConfig, type Service, startService } from '@reprieve/service'
import { parseConfig, type Sidecar, startSidecar } from '@reprieve/sidecar'
import { openVaultAt, type Vault } from '@reprieve/vault'
import { type Logger, pino } from 'pino'
import type { TestDatabase } from './postgres.ts'

const adminKey = 'the-admin-key-of-a-test-0123456789'

export type TestReprieve = AsyncDisposable & {
	client: Client
	service: Service
	vault: Vault
	adminKey: string
}

/** Starts what takes changes to the vault; resolves when they flow. */
export type Way = (database: TestDatabase, vault: Vault, log: Logger) => Promise<Sidecar[]>

/**
 * Service and sidecar in this process over a test database; the vault is in a folder that goes with them, unless `env` says
 * where, and changes come there in process, unless `way` says how.
 */
export async function startReprieve(
	database: TestDatabase,
	env: Readonly<Record<string, string>> = {},
	way: Way = inProcess,
): Promise<TestReprieve> {
	const data = await mkdtemp(join(tmpdir(), 'reprieve-test-'))
	const log = pino({ level: 'silent' })
	const config = readConfig({
		DATABASE_URL: database.url,
		REPRIEVE_DATA: data,
		REPRIEVE_PORT: '0',
		REPRIEVE_ADMIN_KEY: adminKey,
		REPRIEVE_RATE_LIMIT: '1000000',
		...env,
	})
	const vault = openVaultAt(config.vault, database.name, { segmentKeys: config.vaultKey })
	const service = await startService(config, { vault, log })
	const sidecars = await way(database, vault, log)
	return {
		client: createClient({ url: service.url, apiKey: adminKey }),
		service,
		vault,
		adminKey,
		async [Symbol.asyncDispose]() {
			await service.stop()
			await Promise.all(sidecars.map((sidecar) => sidecar.stop()))
			await vault.close()
			await rm(data, { recursive: true, force: true })
		},
	}
}

async function inProcess(database: TestDatabase, vault: Vault, log: Logger): Promise<Sidecar[]> {
	const sidecar = await whenStreaming((onState) =>
		startSidecar(parseConfig({ databaseUrl: database.url }), { vault, log, onState }),
	)
	return [sidecar]
}

/** Starts a sidecar; resolves when it streams. */
export async function whenStreaming(start: (onState: (state: string) => void) => Sidecar): Promise<Sidecar> {
	const { promise: streaming, resolve } = Promise.withResolvers<void>()
	const sidecar = start((state) => state === 'streaming' && resolve())
	await Promise.race([streaming, sidecar.ended])
	return sidecar
}
