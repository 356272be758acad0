import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { chmod, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

const main = fileURLToPath(new URL('../../apps/standalone/src/main.ts', import.meta.url))
const cli = fileURLToPath(new URL('../../apps/cli/src/main.ts', import.meta.url))

/** A started process and everything that it has printed. */
export type Started = AsyncDisposable & {
	child: ChildProcess
	output(): string
	/** Resolves with the exit code; with the signal's name when one ended it. */
	ended: Promise<number | string>
}

/** An empty folder that everybody may pass through. */
export async function openFolder(): Promise<AsyncDisposable & { path: string }> {
	const path = await mkdtemp(join(tmpdir(), 'reprieve-start-'))
	await chmod(path, 0o755)
	return { path, [Symbol.asyncDispose]: () => rm(path, { recursive: true, force: true }) }
}

/** Runs `pnpm start`'s program as a process of its own. */
export function start(env: Record<string, string>, args: string[] = []): Started {
	return launch([main, ...args], env)
}

/** Runs the command line as a process of its own, without a terminal. */
export async function reprieve(
	env: Record<string, string>,
	...args: string[]
): Promise<{ code: number | string; output: string; errors: string }> {
	const child = spawn(process.execPath, [cli, ...args], { env: clean(env), stdio: ['ignore', 'pipe', 'pipe'] })
	let output = ''
	let errors = ''
	child.stdout?.on('data', (chunk: Buffer) => (output += chunk.toString()))
	child.stderr?.on('data', (chunk: Buffer) => (errors += chunk.toString()))
	const [code, signal] = (await once(child, 'close')) as [number | null, string | null]
	return { code: code ?? signal ?? '', output, errors }
}

/** Runs a program under Node; `uid` as another user. */
export function launch(args: string[], env: Record<string, string>, uid?: number): Started {
	const identity = uid === undefined ? {} : { uid, gid: uid }
	const child = spawn(process.execPath, args, { ...identity, env: clean(env), stdio: ['ignore', 'pipe', 'pipe'] })
	let output = ''
	for (const stream of [child.stdout, child.stderr]) stream?.on('data', (chunk: Buffer) => (output += chunk.toString()))
	const ended = once(child, 'close').then(([code, signal]) => (code ?? signal) as number | string)
	return {
		child,
		output: () => output,
		ended,
		async [Symbol.asyncDispose]() {
			child.kill('SIGTERM')
			await ended
		},
	}
}

function clean(env: Record<string, string>): Record<string, string> {
	return { PATH: process.env.PATH ?? '', HOME: process.env.HOME ?? '', ...env }
}
