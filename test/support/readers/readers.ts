import { execFile } from 'node:child_process'
import { createHash } from 'node:crypto'
import { access, mkdir, readFile, rename, rm } from 'node:fs/promises'
import { homedir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import type { S3Server } from '../s3/versitygw.ts'

const run = promisify(execFile)
const here = import.meta.dirname
const engines = ['deltalake', 'polars', 'duckdb'] as const

/** What each engine sees in a Delta table: rows as texts (see read.py), and rows found per asked value. */
type Seen = {
	version: number
	rows: Record<(typeof engines)[number], Record<string, unknown>[]>
	found: Record<(typeof engines)[number], number[]>
}

/** Reads a Delta table in a folder or at `s3://` with every engine; `ask` are pairs of column and value. */
export type Readers = (folder: string, ask?: [string, string][], server?: S3Server) => Promise<Seen>

/**
 * The engines in an environment of their own, made once per set of requirements. Undefined, with one loud line, where Python
 * is missing; with CI set that is an error.
 */
export async function openReaders(): Promise<Readers | undefined> {
	const python = await findPython()
	if (python === undefined) return undefined
	return async (folder, ask = [], server) => {
		const env = { PATH: process.env.PATH, HOME: process.env.HOME, ...variablesOf(server) }
		const { stdout } = await run(python, [join(here, 'read.py'), folder, ...ask.flat()], { env, maxBuffer: 1 << 28 })
		return JSON.parse(stdout) as Seen
	}
}

function variablesOf(server: S3Server | undefined): Record<string, string> {
	if (!server) return {}
	const { endpoint, accessKeyId, secretAccessKey } = server
	return {
		AWS_ENDPOINT_URL: endpoint,
		AWS_ACCESS_KEY_ID: accessKeyId,
		AWS_SECRET_ACCESS_KEY: secretAccessKey,
		AWS_REGION: 'us-east-1',
	}
}

/** Path of a Python that has the engines; undefined as {@link openReaders} says. */
export async function findPython(): Promise<string | undefined> {
	return await environment().catch((error: Error) => {
		if (process.env.CI) throw error
		console.error(`SKIPPED: Delta readers need python3 with venv and pip: ${error.message.split('\n')[0]}`)
		return undefined
	})
}

/** Path of the environment's Python. It is built aside and moved into place, so that a broken build is never found. */
async function environment(): Promise<string> {
	const requirements = join(here, 'requirements.txt')
	const digest = createHash('sha256')
		.update(await readFile(requirements))
		.digest('hex')
		.slice(0, 12)
	const folder = join(homedir(), '.cache', 'reprieve-test', `readers-${digest}`)
	const python = join(folder, 'bin', 'python')
	const isReady = await access(join(folder, 'ready')).then(
		() => true,
		() => false,
	)
	if (isReady) return python
	await rm(folder, { recursive: true, force: true })
	await mkdir(folder, { recursive: true })
	await run('python3', ['-m', 'venv', folder])
	await run(python, ['-m', 'pip', 'install', '--quiet', '--disable-pip-version-check', '-r', requirements])
	await run('touch', [join(folder, 'building')])
	await rename(join(folder, 'building'), join(folder, 'ready'))
	return python
}
