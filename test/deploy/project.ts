import { execFile } from 'node:child_process'
import { cp, mkdir, mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { promisify } from 'node:util'
import { check, root } from './programs.ts'

const run = promisify(execFile)

export type ComposeService = {
	image: string
	profiles?: string[]
	restart: string
	command: string[] | null
	entrypoint: string[] | null
	environment?: Record<string, string>
	build?: { context: string; dockerfile: string; target: string }
	container_name?: string
	ports?: { host_ip?: string; published: string; target: number }[]
	volumes?: { type: string; source: string; target: string }[]
	secrets?: { source: string; target: string }[]
	mem_limit?: string
	healthcheck?: { test: string[] }
	depends_on?: Record<string, { condition: string }>
}

export type Project = { services: Record<string, ComposeService>; volumes: Record<string, unknown> }

/** A folder with docker-compose.yml, what it binds and a generated .env. */
export type Deployment = AsyncDisposable & {
	folder: string
	generate(): Promise<void>
	env(): Promise<string>
	/** What Compose would run, and what its secrets would hold. Throws with Compose's own errors. */
	load(env?: Record<string, string>): Promise<{ project: Project; secrets: Record<string, string> }>
}

/** Copies the deployment's files into a fresh folder; nothing is generated yet. */
export async function openDeployment(): Promise<Deployment> {
	const folder = await mkdtemp(join(tmpdir(), 'reprieve-deploy-'))
	for (const path of ['docker-compose.yml', 'deploy']) {
		await mkdir(dirname(join(folder, path)), { recursive: true })
		await cp(join(root, path), join(folder, path), { recursive: true })
	}
	return {
		folder,
		generate: async () => void (await run(join(folder, 'deploy/generate-env'), { cwd: tmpdir() })),
		env: () => readFile(join(folder, '.env'), 'utf8'),
		load: async (env = {}) => JSON.parse(await check('compose', { cwd: folder, env })),
		[Symbol.asyncDispose]: () => rm(folder, { recursive: true, force: true }),
	}
}
