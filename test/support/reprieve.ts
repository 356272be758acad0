import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Client, createClient } from '@reprieve/client'
import { readConfig, type Service, startService } from '@reprieve/service'
import { parseConfig, startSidecar } from '@reprieve/sidecar'
import { openVaultAt, type Vault } from '@reprieve/vault'
import { pino } from 'pino'
import type { TestDatabase } from './postgres.ts'

const adminKey = 'the-admin-key-of-a-test-0123456789'

export type TestReprieve = AsyncDisposable & {
	client: Client
	service: Service
	vault: Vault
	adminKey: string
}

/** Service and sidecar in this process over a test database; the vault is in a folder that goes with them, unless `env` says where. */
export async function startReprieve(
	database: TestDatabase,
	env: Readonly<Record<string, string>> = {},
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
	const streaming = Promise.withResolvers<void>()
	const onState = (state: string) => state === 'streaming' && streaming.resolve()
	const sidecar = startSidecar(parseConfig({ databaseUrl: database.url }), { vault, log, onState })
	await Promise.race([streaming.promise, sidecar.ended])
	return {
		client: createClient({ url: service.url, apiKey: adminKey }),
		service,
		vault,
		adminKey,
		async [Symbol.asyncDispose]() {
			await service.stop()
			await sidecar.stop()
			await vault.close()
			await rm(data, { recursive: true, force: true })
		},
	}
}
