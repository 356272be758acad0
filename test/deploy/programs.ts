import { execFile, spawn, spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, readFileSync } from 'node:fs'
import { mkdir, mkdtemp, rename, rm } from 'node:fs/promises'
import { homedir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'

const run = promisify(execFile)
const source = join(import.meta.dirname, 'check')
const cache = join(process.env.XDG_CACHE_HOME ?? join(homedir(), '.cache'), 'reprieve-test', 'deploy')

/** Folder of the repository. */
export const root = join(import.meta.dirname, '../..')

const missing = ['go', 'python3'].filter(
	(name) => spawnSync(name, [name === 'go' ? 'version' : '--version']).status !== 0,
)
if (missing.length > 0) {
	const why = `install ${missing.join(' and ')} (Go 1.26 or newer, Python 3 with venv and pip)`
	if (process.env.CI) throw new Error(`the tests of the deployment cannot run: ${why}`)
	console.warn(`\n!! The tests of the deployment are SKIPPED: ${why}\n`)
}

/** False: the tests that need the programs are skipped, as one loud line says. */
export const hasPrograms = missing.length === 0

type Run = { args?: string[]; cwd?: string; input?: string; env?: Record<string, string> }

/** Runs a program of `check/`, built the first time. Answers its output; throws with its errors when it fails. */
export async function check(name: 'compose' | 'context' | 'rules', options: Run = {}): Promise<string> {
	const folder = await built('programs', ['go.mod', 'go.sum', ...mains], async (work) => {
		const env = { ...process.env, CGO_ENABLED: '0' }
		await run('go', ['build', '-trimpath', '-ldflags', '-s -w', '-o', work, './...'], { cwd: source, env })
	})
	return await answer(join(folder, name), options)
}

/** What hadolint finds in a Dockerfile; '' for nothing. */
export async function hadolint(file: string): Promise<string> {
	const folder = await built('hadolint', ['requirements.txt'], async (work) => {
		await run('python3', ['-m', 'venv', work])
		const pip = ['-m', 'pip', 'install', '--quiet', '--disable-pip-version-check', '-r']
		await run(join(work, 'bin', 'python'), [...pip, join(source, 'requirements.txt')])
	})
	return await answer(join(folder, 'bin', 'hadolint'), { args: ['--no-color', file] }).catch(
		(error: Error) => error.message,
	)
}

const mains = ['compose', 'context', 'rules'].map((name) => join(name, 'main.go'))

/** A folder made once for the content of `files`: aside, and moved into place, so that half of one is never found. */
async function built(name: string, files: string[], build: (work: string) => Promise<void>): Promise<string> {
	const hash = createHash('sha256')
	for (const file of files) hash.update(readFileSync(join(source, file)))
	const folder = join(cache, `${name}-${hash.digest('hex').slice(0, 12)}`)
	if (existsSync(folder)) return folder
	await mkdir(cache, { recursive: true })
	const work = await mkdtemp(join(cache, `${name}-`))
	try {
		await build(work)
		await rename(work, folder).catch((error: NodeJS.ErrnoException) => {
			if (error.code !== 'ENOTEMPTY' && error.code !== 'EEXIST') throw error
		})
	} finally {
		await rm(work, { recursive: true, force: true })
	}
	return folder
}

async function answer(program: string, { args = [], cwd = root, input = '', env = {} }: Run): Promise<string> {
	const child = spawn(program, args, { cwd, env: { PATH: process.env.PATH, ...env } })
	let [output, errors] = ['', '']
	child.stdout.on('data', (chunk: Buffer) => (output += chunk.toString()))
	child.stderr.on('data', (chunk: Buffer) => (errors += chunk.toString()))
	child.stdin.end(input)
	const code = await new Promise((resolve) => child.once('close', resolve))
	if (code === 0) return output
	throw new Error(errors || output)
}
