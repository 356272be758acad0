import { execFile } from 'node:child_process'
import { appendFile, chmod, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { type Cluster, launchPostgres } from '@reprieve/standalone/embedded'
import postgres from 'postgres'
import { type PostgresVersion, postgresBinaries } from './postgres.ts'
import { until } from './wait.ts'

/** A primary and a hot standby of it, which may be promoted. */
export type Pair = AsyncDisposable & {
	primary: Cluster
	standby: Cluster
	/** Runs one statement on the standby. */
	onStandby(statement: string): Promise<postgres.RowList<postgres.Row[]>>
	/** Resolves when the standby has replayed all that the primary has written so far. */
	caughtUp(): Promise<void>
	/** Resolves when the standby has a copy of the slot that outlives a promotion; somebody must acknowledge meanwhile. */
	copySlot(): Promise<void>
	/** What the primary writes from now on does not reach the standby. */
	cutOff(): Promise<void>
	/** Ends the primary at once, and makes the standby the primary. */
	promote(): Promise<void>
	/** Starts the former primary again, as a primary. */
	restartPrimary(): Promise<void>
}

const slot = 'standby_slot'

const settings = {
	...{ fsync: 'off', shared_buffers: '64MB', max_replication_slots: '20', max_wal_senders: '20' },
	...{ hot_standby_feedback: 'on', wal_receiver_status_interval: '1s' },
}

export type PairOptions = {
	/** Whether nothing is streamed to a logical slot before the standby has it. Default true. */
	guarded?: boolean
	/** Whether the standby keeps copies of slots. Default true. */
	syncing?: boolean
}

/** Starts PostgreSQL with a standby that streams from it and keeps copies of its failover slots. */
export async function startPair(
	version: Extract<PostgresVersion, 17 | 18>,
	{ guarded = true, syncing = true }: PairOptions = {},
): Promise<Pair> {
	await using stack = new AsyncDisposableStack()
	const folder = await mkdtemp(join(tmpdir(), 'reprieve-pair-'))
	await chmod(folder, 0o755)
	stack.defer(() => rm(folder, { recursive: true, force: true }))
	const binaries = await postgresBinaries(version)
	const start = (name: string, more: Record<string, string> = {}) =>
		launchPostgres({ binaries, data: join(folder, name, 'data'), noSync: true, settings: { ...settings, ...more } })
	const first = await start('a')
	await run(first.url, `select pg_create_physical_replication_slot('${slot}', true)`)
	await first.stop()
	await copyCluster(folder)
	const guard: Record<string, string> = guarded ? { synchronized_standby_slots: slot } : {}
	let primary = await start('a', guard)
	stack.defer(() => primary.stop())
	// In a file: what the command line says cannot be taken back.
	await appendFile(join(folder, 'b', 'data', 'postgresql.auto.conf'), `primary_conninfo = '${conninfo(primary.url)}'\n`)
	const standby = await start('b', {
		primary_slot_name: slot,
		sync_replication_slots: syncing ? 'on' : 'off',
	})
	stack.defer(() => standby.stop())
	const owned = stack.move()
	return {
		get primary() {
			return primary
		},
		standby,
		onStandby: (statement) => run(standby.url, statement),
		async caughtUp() {
			const [written] = await run(primary.url, 'select pg_current_wal_lsn()::text as lsn')
			const reached = `select pg_last_wal_replay_lsn() >= '${written?.lsn}' as ok`
			await until(async () => (await run(standby.url, reached))[0]?.ok, 'the standby to catch up', 60_000)
		},
		async copySlot() {
			const copies = `select from pg_replication_slots where synced and not temporary`
			const isCopied = async () => {
				await run(primary.url, "select pg_log_standby_snapshot(), pg_logical_emit_message(true, 'test', 'moves on')")
				return (await run(standby.url, copies)).length > 0
			}
			await until(isCopied, "the standby's copy of the slot", 90_000)
		},
		async cutOff() {
			await run(standby.url, "alter system set primary_conninfo = ''")
			await run(standby.url, 'select pg_reload_conf()')
			const receivers = 'select from pg_stat_wal_receiver'
			await until(async () => (await run(standby.url, receivers)).length === 0, 'the standby to be cut off', 60_000)
		},
		async promote() {
			process.kill(primary.pid, 'SIGQUIT')
			await primary.ended
			await run(standby.url, 'select pg_promote(true, 60)')
		},
		async restartPrimary() {
			primary = await start('a')
		},
		[Symbol.asyncDispose]: () => owned.disposeAsync(),
	}
}

async function copyCluster(folder: string): Promise<void> {
	const [from, to] = [join(folder, 'a'), join(folder, 'b')]
	await promisify(execFile)('cp', ['-a', from, to])
	await rm(join(to, 'postgres-port'), { force: true })
	await rm(join(to, 'data', 'pg_replslot', slot), { recursive: true, force: true })
	await writeFile(join(to, 'data', 'standby.signal'), '')
}

function conninfo(url: string): string {
	const { hostname, port, username, password } = new URL(url)
	return `host=${hostname} port=${port} user=${username} password=${password} dbname=postgres`
}

async function run(url: string, statement: string) {
	const sql = postgres(url, { max: 1, onnotice: () => {} })
	try {
		return await sql.unsafe(statement)
	} finally {
		await sql.end({ timeout: 5 })
	}
}
