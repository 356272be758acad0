import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { chmod, chown, mkdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { ReprieveError } from '@reprieve/contracts'
import postgres from 'postgres'

/** Paths of the server programs, as the platform package exports them. */
export type Binaries = { initdb: string; postgres: string; pg_ctl: string }

export type LaunchOptions = {
	binaries: Binaries
	/** Folder of the cluster; made when absent. */
	data: string
	/** 0 or absent: the port of the cluster's last start, else a free one. */
	port?: number
	/** Server settings besides ours. */
	settings?: Record<string, string>
	/** Do not wait for the disk while making the cluster. For tests. */
	noSync?: boolean
}

export type Cluster = {
	/** Superuser's address of the database `postgres`. */
	url: string
	port: number
	pid: number
	/** Fast shutdown; resolves when the server has ended. */
	stop(): Promise<void>
}

const user = 'reprieve'
/** PostgreSQL refuses to run as root: it then runs as nobody, in a folder that nobody owns. */
const serverIdentity = process.getuid?.() === 0 ? { uid: 65534, gid: 65534 } : {}

/** Starts PostgreSQL on 127.0.0.1 with logical decoding on, making the cluster first when the folder is empty. */
export async function launchPostgres(options: LaunchOptions): Promise<Cluster> {
	const password = await prepareCluster(options)
	const port = options.port || (await freePort())
	const settings: Record<string, string> = {
		listen_addresses: '127.0.0.1',
		port: String(port),
		unix_socket_directories: '',
		wal_level: 'logical',
		max_replication_slots: '20',
		max_wal_senders: '20',
		...options.settings,
	}
	const args = Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`])
	const server = spawn(options.binaries.postgres, ['-D', options.data, ...args], {
		...serverIdentity,
		stdio: ['ignore', 'ignore', 'pipe'],
		cwd: '/',
		env: { LC_ALL: 'C.UTF-8', PATH: process.env.PATH ?? '' },
	})
	const log: string[] = []
	server.stderr?.on('data', (chunk: Buffer) => {
		log.push(chunk.toString())
		if (log.length > 50) log.shift()
	})
	const url = `postgres://${user}:${password}@127.0.0.1:${port}/postgres`
	await answering(server, url, log)
	return { url, port, pid: server.pid as number, stop: () => stopServer(server) }
}

async function prepareCluster(options: LaunchOptions): Promise<string> {
	const secret = join(options.data, '..', 'postgres-password')
	const exists = await stat(join(options.data, 'PG_VERSION')).catch(() => undefined)
	if (exists) return (await readFile(secret, 'utf8')).trim()
	const password = crypto.randomUUID()
	await mkdir(options.data, { recursive: true })
	await writeFile(secret, `${password}\n`, { mode: 0o600 })
	const passwordFile = join(options.data, '..', 'postgres-password.initdb')
	await writeFile(passwordFile, `${password}\n`, { mode: 0o600 })
	if (serverIdentity.uid !== undefined) {
		await chown(options.data, serverIdentity.uid, serverIdentity.gid)
		await chown(passwordFile, serverIdentity.uid, serverIdentity.gid)
	}
	await chmod(options.data, 0o700)
	const args = ['-D', options.data, '-U', user, '-A', 'scram-sha-256', `--pwfile=${passwordFile}`, '-E', 'UTF8']
	args.push('--locale=C.UTF-8', ...(options.noSync ? ['--no-sync'] : []))
	const making = spawn(options.binaries.initdb, args, {
		...serverIdentity,
		cwd: '/',
		env: { LC_ALL: 'C.UTF-8', PATH: process.env.PATH ?? '' },
		stdio: ['ignore', 'ignore', 'pipe'],
	})
	let errors = ''
	making.stderr?.on('data', (chunk: Buffer) => {
		errors += chunk.toString()
	})
	const [code] = (await once(making, 'close')) as [number]
	await rm(passwordFile, { force: true })
	if (code !== 0) throw new ReprieveError('UNAVAILABLE', `initdb ended with ${code}: ${errors.trim()}`)
	return password
}

async function answering(server: ChildProcess, url: string, log: string[]): Promise<void> {
	const sql = postgres(url, { max: 1, connect_timeout: 2, onnotice: () => {} })
	try {
		for (;;) {
			if (server.exitCode !== null) {
				throw new ReprieveError('UNAVAILABLE', `PostgreSQL ended with ${server.exitCode}: ${log.join('').trim()}`)
			}
			const ready = await sql`select 1`.then(
				() => true,
				() => false,
			)
			if (ready) return
			await new Promise((resolve) => setTimeout(resolve, 20))
		}
	} finally {
		await sql.end({ timeout: 1 })
	}
}

async function stopServer(server: ChildProcess): Promise<void> {
	if (server.exitCode !== null || server.signalCode !== null) return
	const ended = once(server, 'exit')
	server.kill('SIGINT')
	await ended
}

/** A loopback port that nobody listens on at this moment. */
export async function freePort(): Promise<number> {
	const probe = createServer().listen(0, '127.0.0.1')
	await once(probe, 'listening')
	const address = probe.address()
	probe.close()
	await once(probe, 'close')
	if (typeof address !== 'object' || !address) throw new ReprieveError('UNAVAILABLE', 'no free loopback port')
	return address.port
}
