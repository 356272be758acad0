import { chmod, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { type Client, createClient } from '@reprieve/client'
import { openSessions, type Sql } from '@reprieve/postgres'
import { readConfig, startService } from '@reprieve/service'
import { launchPostgres } from '@reprieve/standalone/embedded'
import { openVaultAt } from '@reprieve/vault'
import { pino } from 'pino'
import { launch, type Started } from '../e2e/launcher.ts'
import { until } from '../support/wait.ts'

const sidecar = fileURLToPath(new URL('../../apps/sidecar/src/main.ts', import.meta.url))
const adminKey = 'bench-admin-key-of-more-than-32-characters'

/** PostgreSQL 18 that waits for the disk, the service in this process; sidecars are processes of their own. */
export type SidecarGround = AsyncDisposable & {
	url: string
	sql: Sql
	client: Client
	/** Folder of the vault. */
	vault: string
	/** Process of the server. */
	postgres: number
	/** Runs a command of the sidecar until the ground goes. */
	run(...args: string[]): Started
}

/** Starts everything in a temporary folder; more environment for the sidecars in `env`. */
export async function startSidecarGround(env: Record<string, string> = {}): Promise<SidecarGround> {
	await using stack = new AsyncDisposableStack()
	const folder = await mkdtemp(join(tmpdir(), 'reprieve-bench-'))
	await chmod(folder, 0o755)
	stack.defer(() => rm(folder, { recursive: true, force: true }))
	const cluster = await launchPostgres({
		binaries: await import('pg18'),
		data: join(folder, 'data'),
		settings: { shared_buffers: '512MB', max_wal_size: '8GB', checkpoint_timeout: '1h' },
	})
	stack.defer(() => cluster.stop())
	const sql = openSessions(cluster.url, { applicationName: 'bench', max: 3 })
	stack.defer(() => sql.end({ timeout: 5 }))
	const vaultUrl = `file://${folder}/vault`
	const config = readConfig({
		...{ DATABASE_URL: cluster.url, REPRIEVE_PORT: '0', REPRIEVE_DATA: folder, REPRIEVE_VAULT: vaultUrl },
		REPRIEVE_ADMIN_KEY: adminKey,
	})
	const service = await startService(config, {
		vault: openVaultAt(vaultUrl, 'postgres'),
		log: pino({ level: 'silent' }),
	})
	stack.defer(() => service.stop())
	const environment = {
		...{ DATABASE_URL: cluster.url, REPRIEVE_DATA: folder, REPRIEVE_VAULT: vaultUrl },
		...{ REPRIEVE_LOG_LEVEL: 'warn', ...env },
	}
	const running = stack.adopt(new Set<Started>(), async (started) => {
		await Promise.all([...started].map((one) => one[Symbol.asyncDispose]()))
	})
	const owned = stack.move()
	return {
		...{ url: cluster.url, sql, vault: join(folder, 'vault'), postgres: cluster.pid },
		client: createClient({ url: service.url, apiKey: adminKey }),
		run(...args) {
			const started = launch([sidecar, ...args], environment)
			running.add(started)
			return started
		},
		[Symbol.asyncDispose]: () => owned.disposeAsync(),
	}
}

/** Waits until capture streams. */
export async function streaming({ sql }: SidecarGround): Promise<void> {
	const found = async () => (await sql`select from reprieve.capture_state where state = 'streaming'`).count > 0
	await until(found, 'capture to stream', 60_000)
}
