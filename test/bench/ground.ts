import { chmod, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Client, createClient } from '@reprieve/client'
import { openSessions, type Sql } from '@reprieve/postgres'
import { readConfig, startService } from '@reprieve/service'
import { parseConfig, startSidecar } from '@reprieve/sidecar'
import { launchPostgres } from '@reprieve/standalone/embedded'
import { openVaultAt, type Vault } from '@reprieve/vault'
import { pino } from 'pino'
import type { Processes } from './processes.ts'

/** PostgreSQL 18 that waits for the disk, with the service beside it in this process; nothing is captured. */
export type ServiceGround = AsyncDisposable & {
	url: string
	sql: Sql
	client: Client
	/** The database server, backends and all. */
	processes: Processes
	/** Folder of everything, and the address and the vault in it. */
	folder: string
	vaultUrl: string
	vault: Vault
}

/** What the benchmarks in one process need: the sidecar runs in it too. */
export type Ground = Pick<ServiceGround, 'url' | 'sql' | 'client' | 'processes' | 'folder' | 'vaultUrl'> &
	AsyncDisposable

/** Of every service that a benchmark starts. */
export const adminKey = 'bench-admin-key-of-more-than-32-characters'
/** Node's flags for a service in a process of its own, as its start script has them. */
export const serviceFlags = ['--max-semi-space-size=16']
const log = pino({ level: 'silent' })

/** Starts server and service in a temporary folder. */
export async function startServiceGround(): Promise<ServiceGround> {
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
	const vault = openVaultAt(vaultUrl, 'postgres')
	const config = readConfig({
		...{ DATABASE_URL: cluster.url, REPRIEVE_PORT: '0', REPRIEVE_DATA: folder, REPRIEVE_VAULT: vaultUrl },
		REPRIEVE_ADMIN_KEY: adminKey,
	})
	const service = await startService(config, { vault, log })
	stack.defer(() => service.stop())
	const client = createClient({ url: service.url, apiKey: adminKey })
	const owned = stack.move()
	return {
		...{ url: cluster.url, sql, client, folder, vaultUrl, vault, processes: { PostgreSQL: cluster.pid } },
		[Symbol.asyncDispose]: () => owned.disposeAsync(),
	}
}

/** Starts everything in a temporary folder. */
export async function startGround(): Promise<Ground> {
	await using stack = new AsyncDisposableStack()
	const ground = stack.use(await startServiceGround())
	const sidecar = startSidecar(parseConfig({ databaseUrl: ground.url }), { vault: ground.vault, log })
	stack.defer(() => sidecar.stop())
	const owned = stack.move()
	return { ...ground, [Symbol.asyncDispose]: () => owned.disposeAsync() }
}

/** Rows of about 200 bytes in ten columns. */
const columns = `id bigint primary key, customer int not null, email text not null, name text, note text, amount numeric(12,2),
	placed timestamptz not null, day date, payload jsonb, active boolean not null`

const generator = `g, (g % 50000)::int, 'user' || g || '@example.com', md5(g::text), repeat(md5((g * 7)::text), 2), (g % 100000) / 100.0,
	timestamptz '2024-01-01' + g * interval '1 second', date '2024-01-01' + (g % 700)::int,
	jsonb_build_object('n', g, 'tag', 'x' || (g % 10)), g % 3 = 0`

/** Makes an empty table. */
export async function makeTable(sql: Sql, name: string): Promise<void> {
	await sql.unsafe(`create table public.${name} (${columns})`)
}

/** Fills an empty table with ids 1 to `rows` and lets PostgreSQL settle. */
export async function fillTable(sql: Sql, name: string, rows: number): Promise<void> {
	await sql.unsafe(`insert into public.${name} select ${generator} from generate_series(1::bigint, ${rows}) g`)
	await sql.unsafe(`vacuum (analyze) public.${name}`)
	await sql.unsafe('checkpoint')
}
