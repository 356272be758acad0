import { chmod, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Cluster, launchPostgres } from '@reprieve/standalone/embedded'
import { postgresBinaries } from '../support/postgres.ts'

/** A cluster that can be shut down and started again at the same address. */
export type Restartable = AsyncDisposable & {
	url: string
	stop(): Promise<void>
	/** As `pg_ctl restart` does with that mode. */
	restart(mode: keyof typeof signals): Promise<void>
}

const signals = { fast: 'SIGINT', immediate: 'SIGQUIT' } as const

/** Starts PostgreSQL 18 in a folder of its own, or in `folder`, with room for many worlds. */
export async function startRestartable(settings: Record<string, string> = {}): Promise<Restartable> {
	const folder = await mkdtemp(join(tmpdir(), 'reprieve-restart-'))
	await chmod(folder, 0o755)
	const open = async () =>
		await launchPostgres({
			...{ binaries: await postgresBinaries(18), data: join(folder, 'data'), noSync: true },
			settings: { fsync: 'off', max_connections: '200', shared_buffers: '64MB', ...settings },
		})
	let cluster: Cluster = await open()
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
			cluster = await open()
		},
		[Symbol.asyncDispose]: stop,
	}
}
