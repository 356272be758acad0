import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { open, readFile, realpath, stat } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { ReprieveError } from '@reprieve/contracts'
import postgres from 'postgres'
import type { Binaries } from './binaries.ts'
import { serverIdentity } from './identity.ts'
import { type MakeOptions, makeCluster, superuser } from './make.ts'
import { clearOrphan } from './orphan.ts'
import { rememberedPort } from './port.ts'

export type LaunchOptions = MakeOptions & {
	binaries: Binaries
	/** Folder of the cluster; made when absent. Password, port and log lie beside it. */
	data: string
	/** 0 or absent: the port of the cluster's earlier start, else a free one. */
	port?: number
	/** Server settings besides ours. */
	settings?: Record<string, string>
}

export type Cluster = {
	/** Superuser's address of the database `postgres`. */
	url: string
	port: number
	pid: number
	/** Fast shutdown; resolves when the server has ended. */
	stop(): Promise<void>
	/** Resolves when the server has ended, whoever ended it. */
	ended: Promise<void>
}

const settings = {
	listen_addresses: '127.0.0.1',
	unix_socket_directories: '',
	wal_level: 'logical',
	max_replication_slots: '20',
	max_wal_senders: '20',
	max_wal_size: '2GB',
	shared_buffers: '256MB',
	maintenance_work_mem: '128MB',
	random_page_cost: '1.1',
	log_timezone: 'UTC',
	timezone: 'UTC',
}

/** Starts PostgreSQL on 127.0.0.1 with logical decoding on, making the cluster first when the folder is empty. */
export async function launchPostgres(options: LaunchOptions): Promise<Cluster> {
	const password = await makeCluster(options.binaries, options.data, options)
	const data = await realpath(options.data)
	await clearOrphan(data)
	const port = options.port || (await rememberedPort(data))
	const log = join(dirname(data), 'postgres.log')
	const logged = await stat(log).then(
		(found) => found.size,
		() => 0,
	)
	const server = await spawnServer(options.binaries, data, log, {
		...settings,
		port: String(port),
		...options.settings,
	})
	const ended = once(server, 'exit').then(() => {})
	const url = `postgres://${superuser}:${password}@127.0.0.1:${port}/postgres`
	await answering(server, url, () => newLines(log, logged))
	return { url, port, pid: server.pid as number, stop: () => stopServer(server), ended }
}

/** In a process group of its own: a terminal's Ctrl-C must not stop the server before the service has stopped. */
async function spawnServer(binaries: Binaries, data: string, log: string, all: Record<string, string>) {
	const args = Object.entries(all).flatMap(([name, value]) => ['-c', `${name}=${value}`])
	const file = await open(log, 'a', 0o600)
	try {
		const server = spawn(binaries.postgres, ['-D', data, ...args], {
			...serverIdentity,
			stdio: ['ignore', 'ignore', file.fd],
			detached: true,
			cwd: '/',
			env: { LC_ALL: 'C.UTF-8', PATH: process.env.PATH ?? '' },
		})
		await once(server, 'spawn')
		return server
	} finally {
		await file.close()
	}
}

async function answering(server: ChildProcess, url: string, log: () => Promise<string>): Promise<void> {
	const sql = postgres(url, { max: 1, connect_timeout: 2, onnotice: () => {} })
	try {
		for (;;) {
			if (hasEnded(server)) throw new ReprieveError('UNAVAILABLE', `PostgreSQL did not start: ${await log()}`)
			const refusal = await sql`select 1`.then(
				() => undefined,
				(error: { code?: string; message: string }) => error,
			)
			if (!refusal) return
			if (refusal.code === '28P01') {
				await stopServer(server)
				throw new ReprieveError('UNAVAILABLE', `the cluster refuses the password beside it: ${refusal.message}`)
			}
			await pause(20)
		}
	} finally {
		await sql.end({ timeout: 1 })
	}
}

async function newLines(log: string, from: number): Promise<string> {
	const text = await readFile(log).then((bytes) => bytes.subarray(from).toString())
	return text.trim().split('\n').slice(-20).join('\n')
}

function hasEnded(server: ChildProcess): boolean {
	return server.exitCode !== null || server.signalCode !== null
}

async function stopServer(server: ChildProcess): Promise<void> {
	if (hasEnded(server)) return
	const ended = once(server, 'exit')
	server.kill('SIGINT')
	await ended
}
