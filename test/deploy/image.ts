import { execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { chmod, copyFile, cp, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { delimiter, dirname, join } from 'node:path'
import { promisify } from 'node:util'
import { until } from '../support/wait.ts'
import { readStages, type Stage } from './dockerfile.ts'
import { check, root } from './programs.ts'
import type { ComposeService } from './project.ts'

const run = promisify(execFile)

/** The user of the images where these tests may become another; themselves elsewhere. */
const identity = process.getuid?.() === 0 ? { uid: 1000, gid: 1000 } : {}

/** What an image would hold, in a folder, with the stage that says how it runs. */
export type Image = AsyncDisposable & { app: string; bin: string; stage: Stage }

/** Builds an image without an engine: the context by .dockerignore, then the Dockerfile's own commands on it. */
export async function buildImage(target: string): Promise<Image> {
	const stages = readStages(join(root, 'deploy/Dockerfile'))
	const [stage, built] = [stages.get(target), stages.get(`${target}-built`)]
	if (!stage || !built) throw new Error(`the Dockerfile has no target ${target}`)
	const folder = await mkdtemp(join(tmpdir(), 'reprieve-image-'))
	const [app, bin] = [join(folder, 'app'), join(folder, 'bin')]
	await chmod(folder, 0o755)
	await mkdir(bin)
	for (const path of (await check('context')).trim().split('\n')) {
		await mkdir(dirname(join(app, path)), { recursive: true })
		await cp(join(root, path), join(app, path))
	}
	await copyFile(process.execPath, join(bin, 'node'))
	const { packageManager } = JSON.parse(await readFile(join(root, 'package.json'), 'utf8')) as {
		packageManager: string
	}
	await writeFile(join(bin, 'pnpm'), `#!/bin/sh\nexec npx -y ${packageManager} "$@"\n`, { mode: 0o755 })
	const env = { ...process.env, PATH: [bin, process.env.PATH].join(delimiter), CI: 'true', ...stage.env }
	for (const command of built.runs) await run('/bin/sh', ['-c', command], { cwd: app, env })
	return { app, bin, stage, [Symbol.asyncDispose]: () => rm(folder, { recursive: true, force: true }) }
}

export type Container = AsyncDisposable & {
	output(): string
	/** Waits until the image's own health check says yes; fails when the process ends before. */
	healthy(): Promise<void>
	/** SIGTERM; answers the exit code, or the signal that ended it. */
	stop(): Promise<number | string>
	ended: Promise<number | string>
}

/** Runs a service's exact command; `swaps` put what exists here in the place of what the containers' network has. */
export function runContainer(image: Image, service: ComposeService, swaps: Record<string, string>): Container {
	const { stage, app, bin } = image
	const swap = (text: string) => Object.entries(swaps).reduce((now, [from, to]) => now.replaceAll(from, to), text)
	const env = Object.fromEntries(
		Object.entries({ ...stage.env, ...service.environment }).map(([name, value]) => [name, swap(value)]),
	)
	const start = (command: string[]) => {
		const [program, ...args] = command.map(swap)
		const options = { cwd: app, env: { PATH: [bin, '/usr/bin', '/bin'].join(delimiter), ...env }, ...identity }
		return spawn(program?.startsWith('/') ? program : join(bin, program as string), args, {
			...options,
			stdio: ['ignore', 'pipe', 'pipe'],
		})
	}
	const command = service.command ?? (service.entrypoint ? [] : (stage.cmd ?? []))
	const child = start([...(service.entrypoint ?? stage.entrypoint ?? []), ...command])
	let output = ''
	for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk: Buffer) => (output += chunk.toString()))
	const ended = once(child, 'close').then(([code, signal]) => (code ?? signal) as number | string)
	const isHealthy = async () => {
		if (child.exitCode !== null || child.signalCode !== null) throw new Error(`it ended:\n${output}`)
		const [code] = (await once(start(stage.healthcheck ?? []), 'close')) as [number]
		return code === 0
	}
	const stop = async () => {
		child.kill('SIGTERM')
		return await ended
	}
	return {
		output: () => output,
		healthy: async () => {
			await until(isHealthy, `${command.join(' ')} to be healthy`, 60_000).catch((error: Error) => {
				throw new Error(`${error.message}\n${output.slice(-4_000)}`)
			})
		},
		stop,
		ended,
		[Symbol.asyncDispose]: async () => void (await stop()),
	}
}
