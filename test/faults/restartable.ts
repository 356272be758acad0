import { chmod, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Cluster, launchPostgres } from '@reprieve/standalone/embedded'
import postgres from 'postgres'
import { postgresBinaries } from '../support/postgres.ts'

/** A cluster that can be shut down and started again at the same address. */
export type Restartable = AsyncDisposable & {
	url: string
	/** Whether the server has ended, whoever ended it. */
	hasEnded(): boolean
	isAnswering(): Promise<boolean>
	/** Starts a server that has ended. */
	start(): Promise<void>
	stop(): Promise<void>
	/** As `pg_ctl restart` does with that mode. */
	restart(mode: keyof typeof signals): Promise<void>
}

const signals = { fast: 'SIGINT', immediate: 'SIGQUIT' } as const

/** Starts PostgreSQL 18 in a folder of its own under `disk`. */
export async function startRestartable(settings: Record<string, string> = {}, disk = tmpdir()): Promise<Restartable> {
	const folder = await mkdtemp(join(disk, 'reprieve-restart-'))
	await chmod(folder, 0o755)
	const open = async () =>
		await launchPostgres({
			...{ binaries: await postgresBinaries(18), data: join(folder, 'data'), noSync: true },
			settings: { fsync: 'off', max_connections: '200', shared_buffers: '64MB', ...settings },
		})
	let hasEnded = false
	const watched = async () => {
		const opened = await open()
		hasEnded = false
		void opened.ended.then(() => {
			hasEnded = true
		})
		return opened
	}
	let cluster: Cluster = await watched()
	const stop = async () => {
		await cluster.stop()
		await rm(folder, { recursive: true, force: true })
	}
	return {
		url: cluster.url,
		stop,
		async restart(mode) {
			process.kill(cluster.pid, signals[mode])
			await cluster.ended
			cluster = await watched()
		},
		hasEnded: () => hasEnded,
		async isAnswering() {
			const sql = postgres(cluster.url, { max: 1, connect_timeout: 5, onnotice: () => {} })
			return await sql`select pg_current_xact_id()`
				.then(
					() => true,
					() => false,
				)
				.finally(() => sql.end({ timeout: 1 }))
		},
		async start() {
			cluster = await watched()
		},
		[Symbol.asyncDispose]: stop,
	}
}
