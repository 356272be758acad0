import { execFile, spawn, spawnSync } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { closeSync, existsSync, openSync, readFileSync } from 'node:fs'
import { mkdir, mkdtemp, rename, rm } from 'node:fs/promises'
import { homedir, tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { freePort } from '../kafka/java.ts'
import { until } from '../wait.ts'

const run = promisify(execFile)
const version = 'v1.8.0'
const cache = join(process.env.XDG_CACHE_HOME ?? join(homedir(), '.cache'), 'reprieve-test', 's3')
const program = join(cache, `versitygw-${version}`)

/** Where a server is, and who may do everything there. */
export type S3Server = { endpoint: string; accessKeyId: string; secretAccessKey: string }

export type Gateway = S3Server & AsyncDisposable & { folder: string; stop(): Promise<void> }

/** What keeps a server from being started here, with what to install; null: nothing. */
export function whyNoS3(): string | null {
	if (existsSync(program) || spawnSync('go', ['version']).status === 0) return null
	return 'install Go 1.26 or newer (golang-go)'
}

/** Starts versitygw on a free loopback port, over a fresh folder or one that other gateways serve too. */
export async function startGateway(shared?: string): Promise<Gateway> {
	await build()
	const folder = shared ?? (await mkdtemp(join(tmpdir(), 'reprieve-s3-')))
	const [iam, versions, objects] = ['iam', 'versions', 'objects'].map((name) => join(folder, name))
	for (const path of [iam, versions, objects]) await mkdir(path as string, { recursive: true })
	const address = `127.0.0.1:${await freePort()}`
	const [accessKeyId, secretAccessKey] = ['testkey', 'testsecretkey']
	const log = join(folder, 'gateway.log')
	const output = openSync(log, 'a')
	const options = ['--port', address, '--quiet', '--iam-dir', iam, 'posix', '--versioning-dir', versions, objects]
	const child = spawn(program, options as string[], {
		stdio: ['ignore', output, output],
		env: { ROOT_ACCESS_KEY: accessKeyId, ROOT_SECRET_KEY: secretAccessKey },
	})
	closeSync(output)
	const hasEnded = () => child.exitCode !== null || child.signalCode !== null
	const onExit = () => child.kill('SIGKILL')
	process.once('exit', onExit)
	const answers = async () => {
		if (hasEnded()) throw new Error(`versitygw ended:\n${readFileSync(log, 'utf8')}`)
		return (await fetch(`http://${address}/`).catch(() => undefined))?.status === 403
	}
	await until(answers, 'versitygw to answer')
	const stop = async () => {
		process.off('exit', onExit)
		child.kill('SIGTERM')
		await until(hasEnded, 'versitygw to end').catch(() => child.kill('SIGKILL'))
		if (shared === undefined) await rm(folder, { recursive: true, force: true })
	}
	return { endpoint: `http://${address}`, accessKeyId, secretAccessKey, folder, stop, [Symbol.asyncDispose]: stop }
}

/** Path of the server's program. */
export async function gatewayProgram(): Promise<string> {
	await build()
	return program
}

/** A user who may do nothing until a bucket's policy says so. */
export async function createUser({ endpoint, accessKeyId, secretAccessKey }: S3Server) {
	const user = { accessKeyId: randomUUID(), secretAccessKey: randomUUID() }
	const admin = ['admin', '--access', accessKeyId, '--secret', secretAccessKey, '--endpoint-url', endpoint]
	const named = ['--access', user.accessKeyId, '--secret', user.secretAccessKey, '--role', 'user']
	await run(program, [...admin, 'create-user', ...named])
	return user
}

/** Built once, aside and moved into place, so that a half-built one is never found. */
async function build(): Promise<void> {
	if (existsSync(program)) return
	await mkdir(cache, { recursive: true })
	const work = await mkdtemp(join(cache, 'build-'))
	try {
		const source = `github.com/versity/versitygw/cmd/versitygw@${version}`
		const env = { ...process.env, GOBIN: work, CGO_ENABLED: '0' }
		await run('go', ['install', '-trimpath', '-ldflags', '-s -w', source], { env })
		await rename(join(work, 'versitygw'), program)
	} finally {
		await rm(work, { recursive: true, force: true })
	}
}
