import { randomBytes } from 'node:crypto'
import { chmod, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { migrateControl } from '@reprieve/control'
import { openSessions, type Sql } from '@reprieve/postgres'
import { type Cluster, launchPostgres } from '@reprieve/standalone/embedded'
import { openVaultAt, type Vault } from '@reprieve/vault'
import { archivedRows } from '../capture/ground.ts'
import { launch, type Started } from '../e2e/launcher.ts'
import { until } from '../support/wait.ts'

const sidecar = fileURLToPath(new URL('../../apps/sidecar/src/main.ts', import.meta.url))

/** Tables of which rows are deleted all the time, and how many rows each begins with. */
const tables = ['t', 'u', 'v'] as const
const rowsPerTable = 30_000

/** PostgreSQL that waits for the disk, a vault, and sidecars as processes of their own, all of which may be killed. */
export type World = AsyncDisposable & {
	sql: Sql
	vault: Vault
	postgres: Victim
	/** Starts a command of the sidecar; killed and started again, it is the same command. */
	sidecar(...args: string[]): Promise<Victim>
	/** Deletes rows in small transactions over all tables until it is stopped; what a lost server did not commit is tried again. */
	startDeleting(): { stop(): Promise<void> }
	/** Waits until everything committed before the call is restorable; fails with the end of what each process printed. */
	barrier(): Promise<void>
	/** What differs between the rows that are gone and the rows of the archive, receipts, incidents and gaps included. */
	differences(): Promise<string[]>
}

export type Victim = {
	/** SIGKILL; resolves when it has ended. */
	kill(): Promise<void>
	/** Starts it again. */
	restart(): Promise<void>
	/** What it printed. */
	output(): string
}

export async function startWorld(env: Record<string, string>): Promise<World> {
	await using stack = new AsyncDisposableStack()
	const folder = await mkdtemp(join(tmpdir(), 'reprieve-faults-'))
	await chmod(folder, 0o755)
	stack.defer(() => rm(folder, { recursive: true, force: true }))
	let cluster = await openCluster(folder)
	stack.defer(() => cluster.stop())
	await migrateControl(cluster.url)
	const sql = openSessions(cluster.url, { applicationName: 'faults', max: 4 })
	stack.defer(() => sql.end({ timeout: 5 }))
	const vaultUrl = env.REPRIEVE_VAULT ?? `file://${folder}/vault`
	const environment = {
		...{ DATABASE_URL: cluster.url, REPRIEVE_DATA: folder, REPRIEVE_VAULT: vaultUrl, REPRIEVE_LOG_LEVEL: 'info' },
		...{ REPRIEVE_KAFKA_PREFIX: `faults.${randomBytes(4).toString('hex')}`, ...env },
	}
	const vault = openVaultAt(vaultUrl, 'postgres')
	const started = stack.adopt(new Set<{ now: Started }>(), async (all) => {
		for (const one of all) one.now.child.kill('SIGKILL')
		await Promise.all([...all].map((one) => one.now.ended))
	})
	await fill(sql)
	const owned = stack.move()
	return {
		...{ sql, vault },
		postgres: {
			async kill() {
				process.kill(cluster.pid, 'SIGKILL')
				await cluster.ended
			},
			async restart() {
				cluster = await until(() => openUnlessHeld(folder), 'the killed server to leave its memory', 60_000)
			},
			output: () => '',
		},
		async sidecar(...args) {
			const one = { now: launch([sidecar, ...args], environment) }
			started.add(one)
			return {
				async kill() {
					one.now.child.kill('SIGKILL')
					await one.now.ended
				},
				async restart() {
					one.now = launch([sidecar, ...args], environment)
				},
				output: () => one.now.output(),
			}
		},
		startDeleting: () => startDeleting(sql),
		async barrier() {
			const outputs = () => [...started].map((one) => one.now.output().slice(-6_000)).join('\n--\n')
			await barrier(sql).catch((error) => {
				throw new Error(`${error.message}; the sidecars said:\n${outputs()}`)
			})
		},
		differences: () => differencesOf(sql, vault),
		[Symbol.asyncDispose]: () => owned.disposeAsync(),
	}
}

/** Children of a server that was killed hold its memory until they notice. */
async function openUnlessHeld(folder: string): Promise<Cluster | undefined> {
	return await openCluster(folder).catch((error: Error) => {
		if (error.message.includes('pre-existing shared memory block')) return undefined
		throw error
	})
}

async function openCluster(folder: string): Promise<Cluster> {
	return await launchPostgres({
		binaries: await import('pg18'),
		data: join(folder, 'data'),
		settings: { shared_buffers: '64MB', max_replication_slots: '20', wal_sender_timeout: '10s' },
	})
}

/** Each table has a copy, by which the archive is judged. */
async function fill(sql: Sql): Promise<void> {
	for (const name of tables) {
		await sql.unsafe(
			`create table public.${name} (id int primary key, amount numeric(12,2), note text, at timestamptz)`,
		)
		await sql.unsafe(`insert into public.${name}
			select n, n / 7.0, nullif(repeat(md5(n::text), n % 9), ''), timestamptz '2024-01-01' + n * interval '1.000001 hour'
			from generate_series(1, ${rowsPerTable}) n`)
		await sql.unsafe(`create table public.kept_${name} as table public.${name}`)
	}
}

/** Publishes the tables, as protection does. */
export async function publishAll({ sql }: World, publication = 'reprieve'): Promise<void> {
	for (const name of tables) {
		await sql.unsafe(`alter table public.${name} replica identity full`)
		await sql.unsafe(`alter publication ${publication} add table public.${name}`)
	}
}

function startDeleting(sql: Sql): { stop(): Promise<void> } {
	let isStopped = false
	const working = (async () => {
		for (let from = 1; from <= rowsPerTable && !isStopped; ) {
			const to = from + 20 + ((from * 7) % 200)
			try {
				await sql.begin(async (tx) => {
					for (const name of tables) await tx.unsafe(`delete from public.${name} where id between ${from} and ${to}`)
				})
				from = to + 1
			} catch {
				await until(() => sql`select 1`.catch(() => false), 'the server to come back', 60_000)
			}
		}
	})()
	return {
		async stop() {
			isStopped = true
			await working
		},
	}
}

async function barrier(sql: Sql): Promise<void> {
	const nonce = crypto.randomUUID()
	await sql`select pg_logical_emit_message(true, 'reprieve.barrier', ${nonce})`
	const found = async () => (await sql`select 1 from reprieve.barriers where nonce = ${nonce}`).length
	await until(found, `barrier ${nonce}`, 120_000)
}

async function differencesOf(sql: Sql, vault: Vault): Promise<string[]> {
	const differences: string[] = []
	let receipted = 0
	for (const name of tables) {
		const rows = await archivedRows(vault, name)
		await sql.unsafe(`create table if not exists public.back_${name} (like public.${name})`)
		await sql.unsafe(`truncate public.back_${name}`)
		for (let at = 0; at < rows.length; at += 5_000) {
			const part = JSON.stringify(rows.slice(at, at + 5_000).map((row) => row.values))
			await sql.unsafe(
				`insert into public.back_${name} select * from jsonb_populate_recordset(null::public.back_${name}, $1::text::jsonb)`,
				[part],
			)
		}
		const [found] = await sql.unsafe(`select
			(select count(*)::int from public.kept_${name} k left join public.back_${name} b on b.id = k.id
				where not exists (select from public.${name} t where t.id = k.id)
				and (b.id is null or not record_image_eq(b.*::record, k.*::record))) as lost,
			(select count(*)::int - count(distinct id)::int from public.back_${name}) as doubled,
			(select count(*)::int from public.back_${name} b join public.${name} t on t.id = b.id) as invented,
			(select count(*)::int from public.${name}) as alive,
			(select coalesce(sum((rows->'${name}'->>'deleted')::int), 0)::int from reprieve.receipts) as receipts`)
		for (const kind of ['lost', 'doubled', 'invented'])
			if (found?.[kind]) differences.push(`${name}: ${found[kind]} ${kind}`)
		if (found?.receipts !== rows.length)
			differences.push(`${name}: ${rows.length} rows, receipts for ${found?.receipts}`)
		receipted += found?.receipts
	}
	if (receipted === 0) differences.push('nothing was deleted')
	const open = await sql`select code, message from reprieve.incidents where resolved_at is null`
	const gaps = await sql`select reason from reprieve.capture_gaps`
	for (const { code, message } of open) differences.push(`incident ${code}: ${message}`)
	for (const { reason } of gaps) differences.push(`gap: ${reason}`)
	const transactions = await Array.fromAsync(vault.transactions.read({}))
	const positions = new Set(transactions.map(({ position }) => position.lsn))
	if (positions.size !== transactions.length)
		differences.push(`${transactions.length - positions.size} transactions doubled`)
	return differences
}
