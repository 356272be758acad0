import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { chown, mkdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { ReprieveError } from '@reprieve/contracts'
import type { Binaries } from './binaries.ts'
import { serverIdentity } from './identity.ts'

export const superuser = 'reprieve'

export type MakeOptions = {
	/** Do not wait for the disk. For tests. */
	noSync?: boolean
	/** Called while initdb works: what keeps this process busy costs no time then. */
	meanwhile?: () => void
}

/** Makes the cluster in `data` unless it stands there whole; answers the superuser's password, which lies beside it. */
export async function makeCluster(binaries: Binaries, data: string, options: MakeOptions): Promise<string> {
	const secret = join(dirname(data), 'postgres-password')
	if (await stat(join(data, 'PG_VERSION')).catch(() => undefined)) return readSecret(secret)
	const password = crypto.randomUUID()
	await mkdir(dirname(data), { recursive: true })
	await writeFile(secret, `${password}\n`, { mode: 0o600 })
	await initialise(binaries, data, password, options)
	return password
}

async function readSecret(secret: string): Promise<string> {
	const text = await readFile(secret, 'utf8').catch((cause) => {
		throw new ReprieveError('UNAVAILABLE', `the cluster stands, its password file ${secret} cannot be read`, { cause })
	})
	return text.trim()
}

/** initdb in a folder beside it, renamed when whole: a killed initdb leaves nothing that looks like a cluster. */
async function initialise(
	binaries: Binaries,
	data: string,
	password: string,
	{ noSync, meanwhile }: MakeOptions,
): Promise<void> {
	const making = `${data}.making`
	const passwordFile = `${making}.password`
	await rm(making, { recursive: true, force: true })
	await mkdir(making, { mode: 0o700 })
	await writeFile(passwordFile, `${password}\n`, { mode: 0o600 })
	if (serverIdentity.uid !== undefined && serverIdentity.gid !== undefined) {
		await chown(making, serverIdentity.uid, serverIdentity.gid)
		await chown(passwordFile, serverIdentity.uid, serverIdentity.gid)
	}
	const args = ['-D', making, '-U', superuser, '-A', 'scram-sha-256', `--pwfile=${passwordFile}`, '-E', 'UTF8']
	try {
		await run(binaries.initdb, [...args, '--locale=C.UTF-8', ...(noSync ? ['--no-sync'] : [])], meanwhile)
	} finally {
		await rm(passwordFile, { force: true })
	}
	await rm(data, { recursive: true, force: true })
	await rename(making, data)
}

async function run(program: string, args: string[], meanwhile?: () => void): Promise<void> {
	const child = spawn(program, args, {
		...serverIdentity,
		cwd: '/',
		env: { LC_ALL: 'C.UTF-8', PATH: process.env.PATH ?? '' },
		stdio: ['ignore', 'ignore', 'pipe'],
	})
	let errors = ''
	child.stderr?.on('data', (chunk: Buffer) => {
		errors += chunk.toString()
	})
	const closed = once(child, 'close')
	meanwhile?.()
	const [code] = (await closed) as [number | null]
	if (code !== 0) throw new ReprieveError('UNAVAILABLE', `${program} ended with ${code}: ${errors.trim()}`)
}
